"""What is made of a result: its canonical form, its flag, its alert."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import uuid5

import pytest

from applications.clinical.models import EventType, Flag, LabEvent
from applications.clinical.terminology import ANALYTES, Kind, Sex
from applications.clinical.units import Canonical
from applications.clinical.validation import check
from applications.ingestion.labs.results import alert_id, alert_of, canonical_event, canonical_of, flag_of
from tests.unit.ingestion.labs_fakes import EVENT_ID, PATIENT, encoded, lab

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LABS = [analyte for analyte in ANALYTES if analyte.kind is Kind.LAB]
BY_NAME = {analyte.column: analyte for analyte in LABS}


def event_of(**payload: object) -> tuple[bytes, LabEvent]:
    """A validated event and the bytes that it came in."""
    raw = encoded(lab(**payload))
    event = check(raw, NOW, EventType.LAB_RESULTS)
    assert isinstance(event, LabEvent)
    return raw, event


def flag(name: str, value: float, sex: Sex | None = None) -> Flag:
    """The flag of a value in the canonical unit."""
    return flag_of(Canonical(BY_NAME[name], value, converted=False), sex)


@pytest.mark.parametrize(("value", "expected"), [
    (119.9, "LL"), (120, "L"), (134.9, "L"), (135, "N"), (145, "N"), (145.1, "H"), (160, "H"), (160.1, "HH")])
def test_the_ends_of_a_range_belong_to_it(value: float, expected: str) -> None:
    """A value at a limit is not beyond it, for the reference range and the critical limits alike."""
    assert flag("sodium", value) == expected


@pytest.mark.parametrize(("value", "sex", "expected"), [
    (13.0, Sex.FEMALE, "N"), (13.0, Sex.MALE, "L"), (16.0, Sex.FEMALE, "H"), (16.0, Sex.MALE, "N"),
    (13.0, None, "N"), (16.0, None, "N"), (13.0, Sex.UNKNOWN, "N"), (16.0, Sex.OTHER, "N"), (11.9, None, "L"), (17.3, None, "H"),
    (6.9, Sex.MALE, "LL"), (20.1, Sex.FEMALE, "HH")])
def test_haemoglobin_is_judged_by_sex_and_by_the_widest_range_without_one(value: float, sex: Sex | None, expected: str) -> None:
    """The contract's F 12-15, M 13.6-17.2."""
    assert flag("hemoglobin", value, sex) == expected


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_analyte_has_its_flags(name: str) -> None:
    """Normal inside the reference range, low and high around it, critical beyond the limits that a body can pass."""
    analyte = BY_NAME[name]
    reference, critical, possible = analyte.reference, analyte.critical, analyte.possible
    assert critical is not None
    assert flag(name, (reference.low + reference.high) / 2) is Flag.NORMAL
    assert flag(name, reference.high * 1.001) is Flag.HIGH
    assert flag(name, critical.high * 1.001) is Flag.CRITICAL_HIGH
    assert flag(name, possible.low) is (Flag.CRITICAL_LOW if possible.low < critical.low else
                                        Flag.LOW if possible.low < reference.low else Flag.NORMAL)


@pytest.mark.parametrize(("analyte", "other"), [(analyte, other) for analyte in LABS for other in analyte.also],
                         ids=lambda part: getattr(part, "unit", ""))
def test_a_converted_result_keeps_what_was_sent(analyte: object, other: object) -> None:
    """Code, value and unit of the laboratory stand in `original`, the canonical ones in the payload."""
    middle = (analyte.reference.low + analyte.reference.high) / 2  # type: ignore[attr-defined]
    sent = {"code": other.code, "value": middle / other.factor, "unit": other.unit}  # type: ignore[attr-defined]
    raw, event = event_of(**sent)
    result = canonical_of(event)
    payload = json.loads(canonical_event(raw, event, result, flag_of(result, None)))["payload"]
    assert payload["original"] == sent
    assert (payload["code"], payload["unit"], payload["flag"]) == (analyte.code, analyte.unit, "N")  # type: ignore[attr-defined]
    assert payload["value"] == pytest.approx(middle)


def test_the_rest_of_an_event_goes_on_as_it_came() -> None:
    """Unknown fields, times and ids are the sender's; only the payload's measurement and its flag are ours."""
    came = lab(flag="HH", sex="female", note="haemolysed") | {"future_field": {"a": [1, 2]}}
    raw = encoded(came)
    event = check(raw, NOW, EventType.LAB_RESULTS)
    assert isinstance(event, LabEvent)
    made = json.loads(canonical_event(raw, event, canonical_of(event), Flag.NORMAL))
    came["payload"]["flag"] = "N"
    assert made == came and "original" not in made["payload"]


def test_an_original_that_the_sender_gave_is_kept() -> None:
    """A parser in front may have converted before: the first words count."""
    first = {"code": "14682-9", "value": 100.0, "unit": "umol/L"}
    raw, event = event_of(code="14682-9", value=88.4, unit="umol/L", original=first)
    assert json.loads(canonical_event(raw, event, canonical_of(event), Flag.NORMAL))["payload"]["original"] == first


@pytest.mark.parametrize("quiet", [Flag.LOW, Flag.NORMAL, Flag.HIGH])
def test_only_critical_results_raise_an_alert(quiet: Flag) -> None:
    """A flag inside the critical limits raises none."""
    _, event = event_of()
    assert alert_of(event, canonical_of(event), quiet) is None


def test_an_alert_is_a_valid_event_and_the_same_at_every_delivery() -> None:
    """It names the result, keeps its times, and no part of it depends on when or how often it is made."""
    _, event = event_of(code="14682-9", value=884, unit="umol/L")
    result = canonical_of(event)
    first, second = (alert_of(event, result, Flag.CRITICAL_HIGH) for _ in range(2))
    assert first is not None and first == second
    assert first.event_id == alert_id(EVENT_ID) == uuid5(EVENT_ID, "clinical-alerts") != EVENT_ID
    assert (first.patient_id, first.event_time, first.recorded_time) == (PATIENT, event.event_time, event.recorded_time)
    assert first.payload.model_dump() == {"code": "2160-0", "analyte": "creatinine", "value": pytest.approx(10), "unit": "mg/dL",
                                          "flag": "HH", "lab_event_id": EVENT_ID}
    assert check(first.model_dump_json(exclude_none=True).encode(), NOW, EventType.CLINICAL_ALERTS) == first
