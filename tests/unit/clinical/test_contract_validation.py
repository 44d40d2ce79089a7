"""Rules: an event is judged the same everywhere and always; every fault is named at once; no input is more than invalid."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from applications.clinical.models import INGRESS, EventType
from applications.clinical.reasons import Invalid
from applications.clinical.silver import COLUMNS, row
from applications.clinical.validation import check, check_object
from tests.unit.clinical.contract_events import (
    BOUNDED,
    RECEIVED,
    TYPES,
    anything,
    event,
    faults,
    json_values,
    reasons,
    spoiled,
)


def vitals(*measured: tuple[str, Any, str]) -> dict[str, Any]:
    return event(payload={"measurements": [{"code": code, "value": value, "unit": unit} for code, value, unit in measured]})


@pytest.mark.parametrize("event_type", TYPES)
def test_a_valid_event_of_each_type_is_taken_and_has_a_row_with_just_the_columns_of_its_table(event_type: str) -> None:
    found = check(orjson.dumps(event(event_type)), RECEIVED, event_type)
    assert set(row(found)) == set(COLUMNS[EventType(event_type)])
    assert row(found)["event_time"] == datetime(2026, 3, 1, 8, 5, tzinfo=UTC)


def test_the_examples_cover_every_type_that_senders_send() -> None:
    assert set(TYPES) == set(INGRESS)


@BOUNDED
@given(st.binary(max_size=200))
def test_random_bytes_are_invalid_and_nothing_worse(raw: bytes) -> None:
    assert set(faults(lambda: check(raw, RECEIVED)).values()) <= {"not-json", "not-an-object", "missing-field"}


@BOUNDED
@given(json_values())
def test_random_json_is_invalid_and_nothing_worse(value: Any) -> None:
    with pytest.raises(Invalid):
        check(orjson.dumps(value), RECEIVED)


@BOUNDED
@given(st.data(), st.sampled_from(TYPES))
def test_a_spoiled_event_is_valid_or_invalid_and_the_verdict_is_the_same_every_time(data: st.DataObject, event_type: str) -> None:
    value = data.draw(spoiled(event(event_type)))
    verdicts = []
    for _ in range(2):
        try:
            verdicts.append(str(check_object(deepcopy(value), RECEIVED)))
        except Invalid as error:
            verdicts.append(str(error.reasons))
            assert all(reason.message and len(reason.message) < 300 for reason in error.reasons)
    assert verdicts[0] == verdicts[1]


@BOUNDED
@given(anything())
def test_a_reason_never_repeats_what_was_sent(sent: dict[str, Any]) -> None:
    secret = "XYZZYPLUGH"
    broken = {**sent, "patient_id": secret, "event_time": secret, "trial_arm": secret, "event_id": secret}
    assert not any(secret in reason.message for reason in reasons(lambda: check_object(broken, RECEIVED)).values())


def test_faults_of_the_form_and_of_the_content_are_named_together() -> None:
    broken = event(payload={"measurements": [
        {"code": "8867-4", "value": "72", "unit": "/min"}, {"code": "8480-6", "value": 80, "unit": "mm[Hg]"},
        {"code": "8462-4", "value": 90, "unit": "mm[Hg]"}, {"code": "8310-5", "value": 37, "unit": "K"},
        {"code": "2708-6", "value": 130, "unit": "%"}, {"code": "nope", "value": 1, "unit": "%"},
        {"code": "2345-7", "value": 90, "unit": "mg/dL"}, {"code": "8480-6", "value": 16, "unit": "kPa"}]},
        patient_id="Jane Doe", event_time="2026-03-01T13:00:00Z", trial_arm="placebo")
    del broken["site_id"]
    assert faults(lambda: check_object(broken, RECEIVED, "lab-results")) == {
        "event_type": "wrong-topic", "patient_id": "invalid-value", "site_id": "missing-field", "trial_arm": "invalid-value",
        "payload.measurements[0].value": "wrong-type", "event_time": "event-in-future",
        "payload.measurements[3].unit": "unit-mismatch", "payload.measurements[4].value": "impossible-value",
        "payload.measurements[5].code": "unknown-code", "payload.measurements[6].code": "unknown-code",
        "payload.measurements[7].code": "repeated-code"}


def test_an_event_of_unknown_type_still_shows_the_faults_of_its_envelope() -> None:
    assert faults(lambda: check_object({**event(), "event_type": "gossip", "site_id": "x"}, RECEIVED)) == {
        "event_type": "unknown-event-type", "site_id": "invalid-value"}


@pytest.mark.parametrize("field", ["event_id", "schema_version", "event_type", "patient_id", "study_id", "site_id", "trial_arm",
                                   "event_time", "recorded_time", "source", "payload"])
def test_each_field_of_the_envelope_is_needed(field: str) -> None:
    value = {name: part for name, part in event().items() if name != field}
    assert faults(lambda: check_object(value, RECEIVED)) == {field: "missing-field"}


@pytest.mark.parametrize(("sent", "found"), [
    (vitals(("8480-6", 80.0, "mm[Hg]"), ("8462-4", 80.0, "mm[Hg]")),
     {"payload.measurements": "systolic-not-above-diastolic"}),
    (vitals(("8480-6", 10.0, "kPa"), ("8462-4", 80.0, "mm[Hg]")), {"payload.measurements": "systolic-not-above-diastolic"}),
    (vitals(("8867-4", 72.0, "/min"), ("8867-4", 73.0, "/min")), {"payload.measurements[1].code": "repeated-code"}),
    (vitals(("8867-4", True, "/min")), {"payload.measurements[0].value": "wrong-type"}),
    (event(payload={"measurements": []}), {"payload.measurements": "invalid-value"}),
    (event("lab-results", {"code": "8867-4", "value": 72.0, "unit": "/min"}), {"payload.code": "unknown-code"}),
    (event("lab-results", {"code": "1975-2", "value": 20.0, "unit": "umol/L"}), {"payload.unit": "unit-mismatch"}),
    (event("lab-results", {"code": "2823-3", "value": 12.1, "unit": "mmol/L"}), {"payload.value": "impossible-value"}),
    (event(event_time=1772352300), {"event_time": "wrong-type"}), (event(event_time="1772352300"), {"event_time": "invalid-value"}),
    (event(event_time="2026-03-01T09:05:00"), {"event_time": "wrong-type"}),
    (event(event_time="0001-01-01T00:00:00+14:00"), {"event_time": "invalid-value"}),
    (event(recorded_time="9999-12-31T23:59:59-12:00"), {"recorded_time": "invalid-value"}),
    (event(enrolment_date="86400"), {"enrolment_date": "invalid-value"}),
    (event(patient_id="PTAB12CD34\n"), {"patient_id": "invalid-value"}),
    (event(schema_version="2.0.0", site_id="x"), {"schema_version": "unknown-version"})])
def test_what_is_refused_and_why(sent: dict[str, Any], found: dict[str, str]) -> None:
    assert faults(lambda: check_object(sent, RECEIVED)) == found


def adverse(**changes: Any) -> dict[str, Any]:
    payload = {**event("adverse-events")["payload"], **changes}
    return event("adverse-events", {name: value for name, value in payload.items() if value is not None})


@pytest.mark.parametrize(("changes", "found"), [
    ({"end": "2026-03-01T06:59:59+01:00"}, {"payload.end": "end-before-start"}),
    # An hour earlier on the clock, and yet half an hour later.
    ({"end": "2026-03-01T06:30:00Z"}, {}),
    ({"end": "2026-03-01T05:30:00Z"}, {"payload.end": "end-before-start"}),
    ({"action_taken": None}, {"payload.action_taken": "severe-without-action"}),
    ({"action_taken": None, "grade": 2}, {}), ({"grade": 0}, {"payload.grade": "invalid-value"}),
    ({"grade": 3.0}, {"payload.grade": "wrong-type"}), ({"related": "yes"}, {"payload.related": "wrong-type"}),
    ({"action_taken": None, "reporter": None, "end": "2026-02-01T00:00:00Z"},
     {"payload.action_taken": "severe-without-action", "payload.reporter": "missing-field", "payload.end": "end-before-start"})])
def test_rules_of_adverse_events(changes: dict[str, Any], found: dict[str, str]) -> None:
    if found:
        assert faults(lambda: check_object(adverse(**changes), RECEIVED)) == found
    else:
        check_object(adverse(**changes), RECEIVED)


@pytest.mark.parametrize(("field", "low", "high"), [("age", 18, 120), ("weight_kg", 30, 300), ("height_cm", 100, 250)])
def test_limits_of_demographics_are_closed(field: str, low: int, high: int) -> None:
    def sent(value: float) -> dict[str, Any]:
        return event("demographics", {**event("demographics")["payload"], field: value})
    for value in (low, high):
        check_object(sent(value), RECEIVED)
    for value in (low - 1, high + 1):
        assert faults(lambda value=value: check_object(sent(value), RECEIVED)) == {f"payload.{field}": "invalid-value"}


def test_the_future_begins_five_minutes_after_receipt_whatever_the_offset() -> None:
    for zone in ("America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "UTC"):
        last = (RECEIVED + timedelta(minutes=5)).astimezone(ZoneInfo(zone))
        check_object(event(event_time=last.isoformat()), RECEIVED)
        late = (last + timedelta(milliseconds=1)).isoformat()
        assert faults(lambda late=late: check_object(event(event_time=late), RECEIVED)) == {"event_time": "event-in-future"}


def test_a_replay_years_later_gives_the_same_verdict() -> None:
    """Judged against the time of receipt: what was in the future then stays refused."""
    early = event(event_time="2026-03-01T12:10:00Z")
    assert faults(lambda: check_object(early, RECEIVED)) == {"event_time": "event-in-future"}
    check_object(early, RECEIVED + timedelta(minutes=10))


@pytest.mark.parametrize(("moment", "taken"), [
    # Just after midnight of the day of enrolment in Kolkata: in UTC that is the day before.
    ("2026-01-15T00:30:00+05:30", True), ("2026-01-14T19:00:00Z", True), ("2026-01-15T00:00:00+14:00", True),
    ("2026-01-14T23:59:59+14:00", False), ("2026-01-14T09:59:59Z", False), ("2026-01-13T12:00:00-08:00", False)])
def test_only_what_is_before_the_day_of_enrolment_everywhere_on_earth_is_refused(moment: str, taken: bool) -> None:
    demographics = event("demographics", event_time=moment)
    for sent in (event(event_time=moment), demographics):
        if taken:
            check_object(sent, RECEIVED)
        else:
            assert faults(lambda sent=sent: check_object(sent, RECEIVED)) == {"event_time": "before-enrolment"}


def test_an_event_without_a_day_of_enrolment_is_not_judged_by_it() -> None:
    sent = event(event_time="2020-01-01T00:00:00Z")
    del sent["enrolment_date"]
    check_object(sent, RECEIVED)


def test_the_hour_that_comes_twice_in_autumn_and_the_one_that_is_left_out_in_spring() -> None:
    received = datetime(2026, 12, 1, tzinfo=UTC)
    berlin = ZoneInfo("Europe/Berlin")
    twice = [datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1)]
    found = [check_object(event(event_time=moment.isoformat()), received).event_time for moment in twice]
    assert found[1] - found[0] == timedelta(hours=1)
    assert [moment.hour for moment in found] == [0, 1]
    # 01:59:59 and 03:00:00 in spring are one second apart.
    spring = [check_object(event(event_time=moment), received).event_time
              for moment in ("2026-03-29T01:59:59+01:00", "2026-03-29T03:00:00+02:00")]
    assert spring[1] - spring[0] == timedelta(seconds=1)


def test_unknown_fields_are_ignored_and_a_minor_version_is_read() -> None:
    check_object({**event(), "mood": "fine", "schema_version": "1.7.0"}, RECEIVED)
