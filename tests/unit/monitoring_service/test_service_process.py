"""The process: it answers while everything else is away, ends when asked, and says what it lacks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from applications.runtime.settings import WRONG_SETTINGS
from tests.unit.monitoring_service.service_world import KEY, PLATFORM

PATIENCE = 120
NOWHERE = "http://127.0.0.1:9"


def environment(folder: Path, **more: str) -> dict[str, str]:
    """A stack of which nothing answers."""
    (folder / "platform.json").write_text(PLATFORM.model_dump_json())
    urls = {f"{name}_URL": NOWHERE for name in ("PROMETHEUS", "ALERTMANAGER", "AIRFLOW", "OPENSEARCH")}
    return {**os.environ, **urls, "STACK": "test", "ALERT_WEBHOOK": KEY, "LAKE_ENDPOINT": NOWHERE, "LAKE_SECRET_KEY": "x",
            "MLFLOW_URI": NOWHERE, "KAFKA_BOOTSTRAP": "127.0.0.1:9", "DATA": str(folder / "data"),
            "PLATFORM_FILE": str(folder / "platform.json"), "RUNBOOK_FILE": str(folder / "runbook.md"), **more}


@contextmanager
def running(environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The service as its container runs it."""
    command = [sys.executable, "-m", "applications.monitoring.service"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_it_answers_while_all_else_is_away(tmp_path: Path) -> None:
    """The page is most needed then; each measurement tells what is away, and SIGTERM ends the process well."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}")
    names = {"prometheus": "flow", "alertmanager": "alerts", "airflow": "airflow", "Kafka": "kafka", "MLflow": "champion"}
    with running(environment(tmp_path, MONITOR_PORT=str(port))) as process, client:
        deadline, errors = time.monotonic() + PATIENCE, dict[str, str]()
        while not all(word in errors.get(name, "") for word, name in names.items()):
            assert time.monotonic() < deadline and process.poll() is None, errors
            time.sleep(0.2)
            try:
                measurements = client.get("/api/state").json()["measurements"]
            except httpx.TransportError:
                continue
            errors = {found["name"]: found["error"] or "" for found in measurements}
        assert client.get("/health").status_code == client.get("/").status_code == 200
        assert 'monitoring_failures_total{measurement="kafka"}' in client.get("/metrics").text
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_without_the_platforms_description_it_does_not_start(tmp_path: Path) -> None:
    """And names the file, so that nobody looks for it."""
    with running(environment(tmp_path, PLATFORM_FILE=str(tmp_path / "none.json"))) as process:
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == WRONG_SETTINGS and "none.json" in output


def test_a_missing_bearer_is_named(tmp_path: Path) -> None:
    """Never a webhook that anybody may post to."""
    with running(environment(tmp_path, ALERT_WEBHOOK="short")) as process:
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == WRONG_SETTINGS and "ALERT_WEBHOOK" in output and "short" not in output.replace("shorter", "")
