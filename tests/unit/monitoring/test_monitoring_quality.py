"""Quality of silver and quarantine: what is good passes, and each fault is found by the check that is for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest

from applications.clinical import validation
from applications.clinical.models import INGRESS, EventType
from applications.monitoring.checks import consistency, silver
from applications.monitoring.checks.consistency import rules
from applications.monitoring.findings import Check, Report, Status
from applications.monitoring.quality import OF_A_RANGE, THEMES, checked
from applications.processing import columns
from tests.unit.monitoring.monitoring_world import NOW, World

VITALS, LABS, DRUGS, ADVERSE = (EventType.PATIENT_VITALS, EventType.LAB_RESULTS, EventType.MEDICATIONS, EventType.ADVERSE_EVENTS)
MINUTE = timedelta(minutes=1)


def judged(world: World) -> Report:
    """The checks of a range."""
    return checked(world.tables, OF_A_RANGE, world.span)


def failed(world: World) -> set[tuple[str, str, str]]:
    """Table, name and part of the checks that failed."""
    return {(check.table, check.name, check.part) for check in judged(world).failures}


def one(report: Report, name: str, table: str = "", part: str = "") -> Check:
    """The check of a name."""
    found, = (check for check in report.checks if check.name == name and table in check.table and check.part == part)
    return found


def test_good_data_passes_every_check(world: World) -> None:
    """Nothing fails or asks for a look that came through the platform's own validation, and hundreds of checks looked at it."""
    report = judged(world.simulate().write())
    assert {str(check) for check in report.checks if check.status in (Status.WARNING, Status.FAILURE)} == set()
    assert sum(check.status is Status.OK for check in report.checks) > 100
    assert report.status is Status.OK and report.words() == ""


def test_nothing_received_is_not_good(world: World) -> None:
    """A table without rows in the time is skipped and never counted as ok."""
    report = judged(world.write())
    assert {check.status for check in report.checks if check.theme not in ("schema",)} == {Status.SKIPPED}


def test_a_table_that_is_missing_is_a_failure(world: World) -> None:
    """A check that finds no table must not pass for want of rows."""
    assert {(f"silver/{kind}", "schema", "") for kind in INGRESS} <= failed(world)


def test_a_lost_record_is_found_and_named(world: World) -> None:
    """A record of bronze that is in no table, and what brings it in."""
    world.simulate()
    world.rows[LABS].pop(7)
    report = judged(world.write())
    check = one(report, "bronze-without-row", "lab-results")
    assert check.status is Status.FAILURE and check.value == 1 and "job `backfill`" in check.what
    assert [found.name for found in report.failures] == ["bronze-without-row"]


def test_a_resend_is_not_lost(world: World) -> None:
    """An event that was sent twice stands in silver once, under the position of one record: also when the first came before."""
    world.simulate()
    sent = orjson.dumps(_vitals())
    world.send(VITALS, sent, world.span.begin - MINUTE)
    world.send(VITALS, sent, world.span.begin + MINUTE)
    report = judged(world.write())
    assert report.failures == () and one(report, "bronze-without-row", "patient-vitals").status is Status.OK


def test_a_refused_record_is_not_lost(world: World) -> None:
    """What is in quarantine is accounted for, and counted as refused by its reason."""
    world.simulate()
    world.send(LABS, b"{", world.span.begin + MINUTE)
    report = judged(world.write())
    assert report.failures == () and one(report, "quarantine-share", part="not-json").status is Status.OK


def test_too_many_refused_records_fail(world: World) -> None:
    """The share is of all records that were received."""
    stored = sum(map(len, world.simulate().rows.values()))
    for number in range(stored):
        world.send(LABS, b"{", world.span.begin + number * MINUTE / 60)
    check = one(judged(world.write()), "quarantine-share")
    assert check.value == pytest.approx(0.5, abs=1e-6)
    assert check.status is Status.FAILURE


def test_a_reason_that_nobody_declared_asks_for_a_look(world: World) -> None:
    """A new word in quarantine is a program that does not keep the contract."""
    world.simulate().send(LABS, b"{", world.span.begin + MINUTE)
    world.refused[0]["reason"] = "bad-luck"
    assert one(judged(world.write()), "quarantine-share", part="bad-luck").status is Status.WARNING


@pytest.mark.parametrize(("kind", "change", "rule"), [
    (VITALS, {"diastolic": 90.0, "systolic": 90.0}, "systolic-not-above-diastolic"),
    (VITALS, {"heart_rate": 351.0}, "heart_rate-impossible"),
    (VITALS, {"patient_id": "PT123"}, "patient-id-form"),
    (VITALS, {"event_time": NOW + timedelta(days=2), "event_date": (NOW + timedelta(days=2)).date()}, "event-in-future"),
    (VITALS, {"event_date": NOW.date() - timedelta(days=9)}, "event-date-of-another-day"),
    (VITALS, {"source_topic": "lab-results"}, "source-of-another-topic"),
    (LABS, {"unit": "umol/L"}, "code-analyte-and-unit-not-canonical"),
    (LABS, {"code": "2160-0", "analyte": "creatinine", "unit": "mg/dL", "value": 61.0}, "creatinine-impossible"),
    (DRUGS, {"dose": 0.0}, "dose-not-above-0"),
    (ADVERSE, {"grade": 6, "action_taken": "drug withdrawn"}, "grade-outside-1-to-5"),
    (ADVERSE, {"grade": 3, "action_taken": None}, "severe-without-action"),
    (ADVERSE, {"start_time": NOW, "end_time": NOW - MINUTE}, "end-before-start")])
def test_one_row_that_breaks_a_rule_is_a_failure(world: World, kind: EventType, change: dict[str, Any], rule: str) -> None:
    """Each rule of the contract is judged by its own check, and no other check fails because of it."""
    world.simulate()
    world.rows[kind][0].update(change)
    world.write()
    found = failed(world)
    assert (f"silver/{kind}", rule, "") in found and {name for _, name, _ in found} <= {rule, "bronze-without-row"}


@pytest.mark.parametrize("again", ["event_id", "source_offset"])
def test_rows_must_not_repeat(world: World, again: str) -> None:
    """An event stands in silver once, and so does a record."""
    world.simulate()
    rows = world.rows[VITALS]
    rows[1].update({name: rows[0][name] for name in ((again,) if again == "event_id" else (again, "received_time"))})
    world.write()
    name = "event-id-twice" if again == "event_id" else "source-position-twice"
    assert ("silver/patient-vitals", name, "") in failed(world)


def test_a_required_column_has_no_null(world: World) -> None:
    """A column that no limit is given for is required; an optional one may be empty for a part of the rows."""
    world.simulate()
    world.rows[LABS][0]["value"] = None
    world.rows[VITALS][0]["spo2"] = None
    report = judged(world.write())
    assert [(check.name, check.part) for check in report.failures] == [("null-share", "value")]
    assert one(report, "null-share", "patient-vitals", "spo2").status is Status.OK


@pytest.mark.parametrize(("change", "status", "words"), [
    (lambda found: found.pop("reporter"), Status.FAILURE, "reporter is missing"),
    (lambda found: found.update(grade="double"), Status.FAILURE, "grade is double instead of int"),
    (lambda found: found.update(notes="string"), Status.WARNING, "nobody declared: notes")])
def test_the_schema_is_compared(world: World, change: Callable[[dict[str, str]], Any], status: Status, words: str) -> None:
    """A column that is missing or has another type is a failure, one more asks for a look."""
    world.simulate().write()
    found = columns.silver_columns(ADVERSE)
    change(found)
    world.table(f"silver/{ADVERSE}", world.rows[ADVERSE], found, ["event_date"])
    check = one(checked(world.tables, (THEMES["shape"],), world.span), "schema", "adverse-events")
    assert check.status is status and words in check.what


def test_the_contract_is_that_of_the_writers() -> None:
    """Columns and the clocks' tolerance are written down here a second time, for the image has not all of the writers' code."""
    assert silver.SOURCE == columns.SOURCE
    assert validation.CLOCK_SKEW.total_seconds() == consistency.SKEW_SECONDS
    assert set(INGRESS) == set(consistency.RULES)
    assert len(rules(VITALS)) == 11 and len(rules(LABS)) == 17


def _vitals() -> dict[str, Any]:
    moment = (NOW - timedelta(hours=5)).isoformat()
    return {"event_id": "5f0c9c9e-9a60-4e6e-8d0c-3a5cf5a9e001", "schema_version": "1.0.0", "event_type": "patient-vitals",
            "patient_id": "PTA0000001", "study_id": "STUDY-1", "site_id": "SITE001", "trial_arm": "control", "event_time": moment,
            "recorded_time": moment, "source": "monitor", "enrolment_date": "2020-01-01",
            "payload": {"measurements": [{"code": "8867-4", "value": 70.0, "unit": "/min"}]}}
