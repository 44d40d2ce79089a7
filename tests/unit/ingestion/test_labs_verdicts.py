"""What a message becomes in Kafka before it may be acknowledged."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from applications.ingestion.labs.results import alert_id
from applications.ingestion.labs.verdicts import Handle, Outcome, Verdict, given_up, laboratory_result
from tests.unit.ingestion.labs_fakes import EVENT_ID, PATIENT, FakePublisher, encoded, lab


def judged(body: bytes, handle: Handle = laboratory_result, headers: dict[str, Any] | None = None,
           queue: str = "clinical.lab-results") -> tuple[Verdict, list[tuple[str, str, dict[str, Any]]]]:
    """The verdict on a message, and the records that it sends."""
    verdict = handle(queue, body, headers or {})
    publisher: Any = FakePublisher()
    for send in verdict.sends:
        send(publisher)
    return verdict, publisher.stored


def test_a_result_goes_to_its_topic_under_its_patient() -> None:
    """One record, same id, with a flag."""
    verdict, [(topic, key, value)] = judged(encoded(lab()))
    assert (verdict.outcome, verdict.alert, verdict.reason) == (Outcome.PUBLISHED, None, None)
    assert (topic, key, value["event_id"], value["payload"]["flag"]) == ("lab-results", PATIENT, str(EVENT_ID), "N")


@pytest.mark.parametrize(("value", "flag"), [(170, "HH"), (110, "LL")])
def test_a_critical_result_also_raises_its_alert(value: float, flag: str) -> None:
    """Both under the patient's key; the alert's id follows from the result's."""
    verdict, records = judged(encoded(lab(value=value)))
    assert verdict.alert == flag and verdict.recorded == datetime(2026, 3, 1, 8, 0, 5, tzinfo=UTC)
    assert [(topic, key) for topic, key, _ in records] == [("clinical-alerts", PATIENT), ("lab-results", PATIENT)]
    assert [value["event_id"] for *_, value in records] == [str(alert_id(EVENT_ID)), str(EVENT_ID)]
    assert [value["payload"]["flag"] for *_, value in records] == [flag, flag]


@pytest.mark.parametrize(("body", "reasons"), [
    (b"{", {"not-json"}),
    (b"\xff\xfe", {"not-json"}),
    (b"[1]", {"not-an-object"}),
    (encoded(lab(code="2160-0", unit="umol/L")), {"unit-mismatch"}),
    (encoded(lab(value=1)), {"impossible-value"}),
    (encoded(lab(code="8867-4", unit="/min")), {"unknown-code"}),
    (encoded(lab() | {"patient_id": "x", "site_id": "y"}), {"invalid-value"}),
    (encoded(lab() | {"event_type": "medications"}), {"wrong-topic", "missing-field"})])
def test_an_invalid_message_becomes_a_dead_letter_with_its_reasons_and_bytes(body: bytes, reasons: set[str]) -> None:
    """Nothing else is sent of it."""
    verdict, [(topic, key, value)] = judged(body)
    assert verdict.outcome is Outcome.INVALID and verdict.reason == value["reason"]
    assert (topic, key, value["service"]) == ("dead-letter", "clinical.lab-results", "lab-results-processor")
    assert {reason["code"] for reason in value["reasons"]} == reasons and value["reason"] in reasons
    assert base64.b64decode(value["raw"]) == body


def test_a_result_from_the_future_is_refused_and_one_just_now_is_not() -> None:
    """Five minutes of skew, against the moment of handling."""
    soon, later = (encoded(lab() | {"event_time": (datetime.now(UTC) + timedelta(minutes=m)).isoformat()}) for m in (4, 9))
    assert judged(soon)[0].outcome is Outcome.PUBLISHED
    assert judged(later)[0].reason == "event-in-future"


@pytest.mark.parametrize("body", [b"\xff not even text", encoded(lab()), b""])
def test_what_rabbitmq_gave_up_on_is_forwarded_unread(body: bytes) -> None:
    """Under the queue that it came from, with the one reason, whatever it holds."""
    verdict, [(topic, key, value)] = judged(body, given_up, {"x-first-death-queue": "clinical.priority"}, "clinical.dead-letter")
    assert (verdict.outcome, verdict.reason) == (Outcome.FORWARDED, "redelivery-limit")
    assert (topic, key, value["reason"], value["source_offset"]) == ("dead-letter", "clinical.priority", "redelivery-limit", None)
    assert base64.b64decode(value["raw"]) == body


@pytest.mark.parametrize("headers", [{}, {"x-first-death-queue": 7}])
def test_a_dead_letter_of_unknown_origin_is_forwarded_too(headers: dict[str, Any]) -> None:
    """Its key is the queue that it stood in."""
    _, [(_, key, _)] = judged(b"x", given_up, headers, "clinical.dead-letter")
    assert key == "clinical.dead-letter"
