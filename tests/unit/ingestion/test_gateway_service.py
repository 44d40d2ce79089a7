"""The service as a process, without its brokers; and its log, which holds nothing of a patient."""

from __future__ import annotations

import http.client
import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from applications.clinical.hl7 import oru_r01
from applications.ingestion.gateway import answers
from applications.ingestion.gateway.reading import Format
from applications.ingestion.gateway.settings import GatewaySettings
from applications.runtime import logs
from tests.unit.ingestion.gateway_fakes import FHIR, HL7, JSON, KEY, NDJSON, Gateway, event, gateway, lines, run

ROOT = Path(__file__).parents[3]
CANARY = "CANARY7Q"


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def start(folder: Path, **changes: str) -> subprocess.Popen[bytes]:
    """The service, with brokers that are not there."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "KAFKA_BOOTSTRAP": "127.0.0.1:1",
                   "AMQP_HOST": "127.0.0.1", "AMQP_PORT": "1", "AMQP_PASSWORD": "password", "API_KEYS": f"ward:{KEY}",
                   "LEDGER_PATH": str(folder / "ledger.sqlite"), **changes}
    return subprocess.Popen([sys.executable, "-m", "applications.ingestion.gateway"], env=environment, cwd=folder,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_it_starts_without_its_brokers_says_so_and_stops_when_asked(tmp_path: Path) -> None:
    port, mllp = free_port(), free_port()
    process = start(tmp_path, HTTP_PORT=str(port), MLLP_PORT=str(mllp))
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                status, body = get(port, "/health")
                break
            except OSError:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline, "it never answered"
                time.sleep(0.05)
        assert status == 503 and set(json.loads(body)["checks"]) == {"kafka", "rabbitmq", "ledger"}
        assert get(port, "/live")[0] == 200
        assert b'gateway_available{need="kafka"} 0.0' in get(port, "/metrics")[1]
        socket.create_connection(("127.0.0.1", mllp), timeout=5).close()
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0 and err == b""
    entries = [json.loads(line) for line in out.splitlines()]
    assert [entry["event"] for entry in entries if entry["event"] in ("started", "stopping", "ended")] == [
        "started", "stopping", "ended"]
    assert all(entry["service"] == "clinical-data-gateway" and entry["layer"] == "ingestion" for entry in entries)


def test_a_ledger_that_cannot_be_opened_ends_it_with_words(tmp_path: Path) -> None:
    process = start(tmp_path, LEDGER_PATH=str(tmp_path / "nowhere" / "ledger.sqlite"))
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2 and b"nowhere" in err and b"volume" in err and b"Traceback" not in err


async def send_canaries(door: Gateway) -> None:
    """Bodies with a canary wherever a patient's data can stand, taken and refused in every way."""
    hl7 = oru_r01([event(patient_id="PT" + CANARY, source=CANARY)]).replace(b"PID|1||", f"PID|1|{CANARY}|".encode())
    wrong = event(patient_id=CANARY, site_id=CANARY, **{CANARY: CANARY})
    wrong["payload"]["measurements"].append({"code": CANARY, "value": CANARY, "unit": CANARY})
    bodies: list[tuple[str, bytes, dict[str, str]]] = [
        ("/events", json.dumps(event(patient_id="PT" + CANARY, source=CANARY)).encode(), JSON),
        ("/events", json.dumps(wrong).encode(), JSON), ("/events", lines(wrong, wrong), NDJSON),
        ("/events", f'{{"{CANARY}": '.encode(), JSON), ("/hl7", hl7, HL7), ("/hl7", hl7.replace(b"ORU^R01", CANARY.encode()), HL7),
        ("/hl7", hl7.replace(b"8867-4", CANARY.encode()), HL7), ("/hl7", CANARY.encode(), HL7),
        ("/fhir", json.dumps({"resourceType": CANARY}).encode(), FHIR),
        ("/fhir", json.dumps({"resourceType": "Patient", "name": [{"family": CANARY}], CANARY: CANARY}).encode(), FHIR),
        ("/events", CANARY.encode(), {**JSON, "X-API-Key": CANARY * 3}), ("/events", b"", {**JSON, "Content-Type": CANARY})]
    statuses = [(await door.post(path, body, headers)).status_code for path, body, headers in bodies]
    assert {202, 400, 403, 415, 422} <= set(statuses) and 500 not in statuses
    door.kafka.fault = "away"
    assert (await door.post("/events", json.dumps(event(patient_id="PT" + CANARY)).encode())).status_code == 503


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The log of a service at its most talkative; logging is as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure(GatewaySettings.model_validate(
        {"kafka_bootstrap": "k", "amqp_host": "q", "amqp_password": "p", "api_keys": f"ward:{KEY}", "log_level": "debug"}))
    [handler] = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    handler.setStream(written)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)


def test_nothing_of_a_patient_is_in_logs_or_metrics(tmp_path: Path, written: io.StringIO,
                                                    capfd: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> str:
        async with gateway(tmp_path) as door:
            await send_canaries(door)
            return (await door.client.get("/metrics")).text

    metrics = run(scenario())
    printed = capfd.readouterr()
    assert '"event": "refused"' in written.getvalue(), "the log must be seen for this test to mean anything"
    assert CANARY not in written.getvalue() + printed.out + printed.err + metrics


def test_an_unexpected_error_is_logged_by_its_place_and_answered_without_its_words(
        tmp_path: Path, written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            async def broken(form: Format, body: bytes) -> None:
                raise KeyError(CANARY)

            monkeypatch.setattr(door.intake, "take", broken)
            answer = await door.post("/events", event())
            assert answer.status_code == 500 and CANARY not in answer.text
            with pytest.raises(answers.Refused):
                await answers.take(door.intake, Format.HL7, b"")

            async def worse(*_: object) -> None:
                raise ValueError(CANARY)

            monkeypatch.setattr(answers, "take", worse)
            answer = await door.post("/events", event())
            assert answer.status_code == 500 and CANARY not in answer.text

    run(scenario())
    assert '"error": "KeyError"' in written.getvalue() and '"error": "ValueError"' in written.getvalue()
    assert CANARY not in written.getvalue()
