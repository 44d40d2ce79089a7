"""Rules of the process: it starts without its neighbours and says so, stops when asked, and names settings that are wrong."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from applications.ml.serving.settings import ServingSettings
from applications.runtime import settings
from tests.unit.ml.serving_fakes import KEY

ROOT = Path(__file__).parents[3]


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def ask(port: int, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    connection.request("POST" if body else "GET", path, body, {"X-API-Key": KEY, "Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_it_starts_without_its_neighbours_says_so_and_stops_when_asked(tmp_path: Path) -> None:
    """Alive so that `up` ends, not ready, 503 with the reason; its metrics are the process's own and in no file."""
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "HTTP_PORT": str(port),
                   "KAFKA_BOOTSTRAP": "127.0.0.1:1", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": "1", "REDIS_PASSWORD": "password",
                   "MLFLOW_URI": "http://127.0.0.1:1", "API_KEYS": f"ward:{KEY}"}
    process = subprocess.Popen([sys.executable, "-m", "applications.ml.serving"], env=environment, cwd=tmp_path,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                status, health = ask(port, "/health")
                break
            except OSError:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline, "it never answered"
                time.sleep(0.1)
        assert status == 200
        assert all(words != "ok" for words in json.loads(health)["checks"].values())
        assert ask(port, "/ready")[0] == 503
        status, answer = ask(port, "/v1/predict", b'{"patient_id": "PT0000A1B2"}')
        assert status == 503 and json.loads(answer)["error"] == "no-champion"
        assert b'serving_available{need="model"} 0.0' in ask(port, "/metrics")[1]
        assert list(tmp_path.rglob("*.db")) == []
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    entries = [json.loads(line) for line in out.splitlines()]
    assert [entry["event"] for entry in entries if entry["event"] in ("started", "stopping", "ended")] == [
        "started", "stopping", "ended"]
    assert all(entry["service"] == "model-serving" and entry["layer"] == "ml" for entry in entries)


def test_settings_that_are_missing_or_wrong_are_all_named(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Secrets are files; what is said of a wrong one does not hold it."""
    for name in ("KAFKA_BOOTSTRAP", "REDIS_PASSWORD", "API_KEYS", "MAX_MISSING_SHARE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "api_keys").write_text("ward short-CANARY")
    monkeypatch.setenv("MAX_MISSING_SHARE", "1.5")
    with pytest.raises(SystemExit) as ended:
        settings.load(ServingSettings, tmp_path)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    for name in ("KAFKA_BOOTSTRAP", "REDIS_PASSWORD", "API_KEYS", "MAX_MISSING_SHARE"):
        assert name in said
    assert "CANARY" not in said
    (tmp_path / "api_keys").write_text(f"ward:{KEY}\n")
    (tmp_path / "redis_password").write_text("password")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "kafka:29092")
    monkeypatch.delenv("MAX_MISSING_SHARE")
    assert settings.load(ServingSettings, tmp_path).max_age_seconds == 3600
