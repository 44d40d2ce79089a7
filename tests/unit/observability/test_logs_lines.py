"""What becomes of a line: our services' JSON, other software's text, and what the log store is able to keep."""

from __future__ import annotations

import json
import logging
from typing import Any

import orjson
import pytest

from applications.monitoring.logs import MAPPINGS
from applications.observability.shipper.lines import MOST_FIELDS, MOST_OF_FIELD, MOST_OF_MESSAGE, Entry, Origin, document, index
from applications.runtime import logs
from applications.runtime.settings import ServiceSettings

ORIGIN = Origin(container="c" * 64, stack="unit", layer="ingestion", service="gateway")


def line(text: str, time: str = "2026-11-26T23:59:59.123456789Z") -> Entry:
    """A line that the gateway printed."""
    return Entry(origin=ORIGIN, place="file:0", time=time, stream="stdout", text=text)


def of(text: str) -> dict[str, Any]:
    """The document of a line."""
    return document(line(text))


def test_a_line_of_our_services_keeps_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.configure(ServiceSettings(service="wrong", layer="wrong"))
        logs.log.warning("events-refused", request_id="4f1c", reason="unit", count=3)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert of(capsys.readouterr().out) == {
        "@timestamp": "2026-11-26T23:59:59.123456789Z", "stack": "unit", "layer": "ingestion", "service": "gateway",
        "container": "c" * 12, "stream": "stdout", "level": "warning", "event": "events-refused", "trace": "4f1c",
        "message": "events-refused reason=unit count=3", "fields": {"reason": "unit", "count": "3"}}


def test_a_sentence_is_a_message_and_no_event() -> None:
    found = of('{"event": "Started server process [1]", "level": "info"}')
    assert found["message"] == "Started server process [1]" and "event" not in found


@pytest.mark.parametrize(("text", "level"), [
    ("[2026-11-26 10:00:00,123] WARN [Controller id=1] x (kafka.controller)", "warning"),
    ("26/11/26 10:49:46 ERROR TaskSetManager: lost", "error"),
    ("2026-11-26 10:00:00.000 UTC [1] LOG:  database system is ready", "info"),
    ("2026-11-26 10:00:00.000 UTC [1] FATAL:  no such role", "critical"),
    ("2026-11-26 10:00:00.000000+00:00 [warning] <0.1.0> memory", "warning"),
    ('ts=2026-11-26T10:00:00Z caller=main.go:1 level=error msg="x"', "error"),
    ("1:M 26 Nov 2026 10:00:00.000 # WARNING overcommit", "warning"),
    ("1:M 26 Nov 2026 10:00:00.000 # overcommit", "warning"),
    ("1:M 26 Nov 2026 10:00:00.000 * Ready", "info"),
    ("Traceback (most recent call last):", "error"),
    ("\x1b[31mERROR\x1b[0m red", "error"),
    ("API: SYSTEM.storage", "info"),
    ('{"level": "FATAL", "message": "x"}', "critical"),
    ('{"severity": "Notice", "msg": "x"}', "info"),
    ('{"msg": "x", "level": 30}', "info"),
])
def test_the_level_is_what_the_software_means(text: str, level: str) -> None:
    assert of(text)["level"] == level


@pytest.mark.parametrize("text", [
    "", "{", "{}", "[1]", '"x"', "{'a': 1}", '{"event": null}', '{"event": "\\ud800"}', "\x00",
    '{"a": ' + "[" * 300 + "]" * 300 + "}",
    '{"a": ' + "9" * 400 + "}", '{"level": {"a": 1}, "msg": [], "": 1}'])
def test_whatever_is_printed_becomes_a_document(text: str) -> None:
    """A line that could not be sent would come again and again, and hold all others up."""
    assert isinstance(json.loads(orjson.dumps(of(text)))["message"], str)


def test_what_is_null_is_no_trace() -> None:
    assert "trace" not in of('{"event": "e", "request_id": null}')


def test_secrets_and_patients_are_gone_wherever_they_stand() -> None:
    told = {"event": "refused PT0A1B2C3D", "request_id": "PT0A1B2C3D", "password": "canary", "patient": "Jane Roe",
            "detail": {"family": "Roe", "token": "canary"}, "PT0A1B2C3D": 1, "note": "dob: 1950-01-02"}
    found = json.dumps(of(json.dumps(told))) + json.dumps(of("x " + json.dumps(told)))
    assert not any(word in found for word in ("PT0A1B2C3D", "canary", "Jane", "Roe", "1950"))


def test_a_huge_line_is_cut() -> None:
    found = of(json.dumps({"event": "e" * 99_999, **{f"f{number}": "v" * 9_999 for number in range(500)}}))
    assert len(found["message"]) == MOST_OF_MESSAGE and len(found["fields"]) == MOST_FIELDS
    assert max(len(value) for value in found["fields"].values()) == MOST_OF_FIELD
    assert len(of("x" * 99_999)["message"]) == MOST_OF_MESSAGE


def test_the_template_knows_every_field_of_a_document() -> None:
    found = of('{"event": "e", "trace_id": "t", "x": 1}')
    assert set(found) == set(MAPPINGS["properties"])


def test_a_line_belongs_to_the_day_at_which_it_was_printed() -> None:
    assert index(line("x")) == "logs-unit-2026.11.26"
    assert index(line("x", "2026-11-27T00:00:00Z")) == "logs-unit-2026.11.27"
