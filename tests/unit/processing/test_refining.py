"""From a Kafka record to a row: nothing is dropped, whatever comes, and each row knows where it came from."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from applications.clinical.models import INGRESS, EventType
from applications.processing.columns import QUARANTINE_COLUMNS, REJECTED, silver_columns
from applications.processing.hours import MOST_RANGES, ranges
from applications.processing.refine import refine, unseal

RECEIVED = datetime(2025, 3, 30, 0, 30, tzinfo=UTC)
MEASUREMENT = pa.struct({"code": pa.string(), "value": pa.float64(), "unit": pa.string()})
ARROW = {"string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(),
         "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC"), "binary": pa.binary(),
         "struct<code:string,value:double,unit:string>": MEASUREMENT,
         "array<struct<code:string,value:double,unit:string>>": pa.list_(MEASUREMENT)}
"""How Spark hands its types to Python; a column of a type that is not here is new, and needs a thought."""
SOURCE = {"source_partition": 2, "source_offset": 41, "received_time": RECEIVED}
PAYLOADS: dict[EventType, dict[str, Any]] = {
    EventType.PATIENT_VITALS: {"measurements": [{"code": "8867-4", "value": 72, "unit": "/min"},
                                                {"code": "8310-5", "value": 98.6, "unit": "[degF]"}]},
    EventType.LAB_RESULTS: {"code": "14682-9", "value": 88.4, "unit": "umol/L", "sex": "female"},
    EventType.MEDICATIONS: {"drug": "Metformin", "dose": 500.0, "unit": "mg", "route": "oral", "frequency": "BID"},
    EventType.ADVERSE_EVENTS: {"term": "Nausea", "grade": 2, "start": "2025-03-30T01:00:00+02:00", "related": True,
                               "reporter": "site"},
    EventType.DEMOGRAPHICS: {"age": 54, "sex": "male", "weight_kg": 81.5, "height_cm": 178.0, "enrolment_date": "2025-01-01"}}


def event(kind: EventType, **changes: Any) -> dict[str, Any]:
    """A valid event of a type, in a zone ahead of UTC: its local day is not its day in UTC."""
    return {"event_id": "6f1c1f6e-3f9b-4f0e-9a51-0d6f2f2f7c11", "schema_version": "1.0.0", "event_type": kind,
            "patient_id": "PT00000001", "study_id": "STUDY1", "site_id": "SITE001", "trial_arm": "control",
            "event_time": "2025-03-30T01:30:00+02:00", "recorded_time": "2025-03-30T01:30:05+02:00", "source": "monitor",
            "payload": PAYLOADS[kind], **changes}


def record(value: bytes | None, topic: str, key: bytes | None = b"PT00000001") -> dict[str, Any]:
    """A record as Spark hands it over."""
    return {"topic": topic, "partition": 2, "offset": 41, "timestamp": RECEIVED, "key": key, "value": value}


def refined(kind: EventType, value: Any) -> dict[str, Any]:
    """What becomes of a value in the topic of a type."""
    raw = value if isinstance(value, bytes | None) else json.dumps(value).encode()
    return refine(record(raw, kind), kind)


@pytest.mark.parametrize("kind", INGRESS)
def test_a_valid_event_fills_every_column_of_its_table(kind: EventType) -> None:
    """With the types that the table has, its day in UTC, and its position in Kafka."""
    found = refined(kind, event(kind))
    assert set(found) == set(silver_columns(kind))
    assert found["event_time"] == datetime(2025, 3, 29, 23, 30, tzinfo=UTC) and found["event_date"] == date(2025, 3, 29)
    assert found.items() >= {**SOURCE, "source_topic": str(kind)}.items()
    columns = {**silver_columns(kind), **REJECTED, "date": "date"}
    wanted = pa.schema([(name, ARROW[of]) for name, of in columns.items()])
    back = pa.RecordBatch.from_pylist([found], schema=wanted).to_pylist()[0]
    assert back["reason"] is None
    assert {name: value for name, value in back.items() if name in found and name != "original"} == {
        name: value for name, value in found.items() if name != "original"}


def test_units_are_canonical_and_what_was_sent_is_kept() -> None:
    """Of what was converted, and of nothing else."""
    vitals = refined(EventType.PATIENT_VITALS, event(EventType.PATIENT_VITALS))
    assert (vitals["heart_rate"], round(vitals["temperature"], 6)) == (72, 37.0)
    assert [m["code"] for m in vitals["original"]] == ["8310-5"]
    lab = refined(EventType.LAB_RESULTS, event(EventType.LAB_RESULTS))
    assert (lab["code"], lab["value"], lab["unit"]) == ("2160-0", pytest.approx(1.0), "mg/dL")
    assert lab["original"] == {"code": "14682-9", "value": 88.4, "unit": "umol/L"}


@pytest.mark.parametrize(("value", "codes"), [
    (None, ["no-value"]), (b"\xff{", ["not-json"]), (b"[]", ["not-an-object"]), (b"{}", ["missing-field"]),
    (event(EventType.MEDICATIONS), ["wrong-topic"]),
    (event(EventType.PATIENT_VITALS, schema_version="2.0.0"), ["unknown-version"]),
    (event(EventType.PATIENT_VITALS, patient_id="Jane", site_id=None), ["invalid-value", "wrong-type"]),
    (event(EventType.PATIENT_VITALS, event_time=(RECEIVED + timedelta(minutes=6)).isoformat()), ["event-in-future"]),
])
def test_what_is_refused_keeps_its_bytes_and_every_reason(value: Any, codes: list[str]) -> None:
    """And is filed under the first reason and the day that Kafka took it."""
    found = refined(EventType.PATIENT_VITALS, value)
    assert set(found) == set(QUARANTINE_COLUMNS)
    assert list(dict.fromkeys(reason["code"] for reason in json.loads(found["reasons"]))) == codes
    assert found["reason"] == codes[0] and found["date"] == date(2025, 3, 30) and found["service"] == "spark"
    assert found["raw"] == (value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode())
    assert found.items() >= {**SOURCE, "source_topic": "patient-vitals", "key": "PT00000001"}.items()


def test_the_future_is_judged_against_the_record_and_never_against_now() -> None:
    """So that a replay years later gives the verdict of today."""
    ahead = event(EventType.PATIENT_VITALS, event_time=(RECEIVED + timedelta(minutes=5)).isoformat())
    assert "reason" not in refined(EventType.PATIENT_VITALS, ahead)


def letter(**changes: Any) -> dict[str, Any]:
    """A dead letter, unsealed."""
    value = {"reason": "not-json", "reasons": [{"code": "not-json", "field": "", "message": "no"}], "service": "kafka-consumer",
             "source_topic": "lab-results", "source_partition": 1, "source_offset": 7, "key": "k",
             "raw": base64.b64encode(b"\x00\xff").decode(), "recorded_time": "2025-03-30T00:00:00Z", **changes}
    return unseal(record(json.dumps(value).encode(), "dead-letter"))


def test_a_dead_letter_is_the_record_that_it_names() -> None:
    """Under the same position as the stream's own rejection of that record, so that one of them is stored."""
    found = letter()
    assert set(found) == set(QUARANTINE_COLUMNS)
    assert (found["source_topic"], found["source_partition"], found["source_offset"]) == ("lab-results", 1, 7)
    assert (found["raw"], found["reason"], found["service"]) == (b"\x00\xff", "not-json", "kafka-consumer")


def test_a_dead_letter_without_a_source_is_itself() -> None:
    """A gateway's rejection never was in a topic."""
    found = letter(source_topic=None, source_partition=None, source_offset=None, service="clinical-data-gateway")
    assert (found["source_topic"], found["source_partition"], found["source_offset"]) == ("dead-letter", 2, 41)


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff", json.dumps({
    "reason": "x", "service": "y", "raw": "not base64!", "recorded_time": "2025-03-30T00:00:00Z"}).encode()])
def test_what_is_no_dead_letter_is_quarantined_all_the_same(value: bytes | None) -> None:
    """Its bytes as they are, under its own position."""
    found = unseal(record(value, "dead-letter", key=None))
    assert (found["reason"], found["raw"], found["source_topic"]) == ("not-parsed", value or b"", "dead-letter")


def test_ranges_cover_each_hour_once() -> None:
    """Neighbours are joined; too many become one that covers all."""
    begin = datetime(2025, 1, 1)
    hours = [begin + timedelta(hours=hour) for hour in (5, 0, 1, 30)]
    assert ranges(hours) == [(begin, begin + timedelta(hours=2)), (hours[0], hours[0] + timedelta(hours=1)),
                             (hours[3], hours[3] + timedelta(hours=1))]
    many = [begin + timedelta(hours=2 * index) for index in range(MOST_RANGES + 1)]
    assert ranges(many) == [(many[0], many[-1] + timedelta(hours=1))]
