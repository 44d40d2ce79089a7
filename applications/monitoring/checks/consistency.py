"""Consistency: what the data contract says of values holds for every row, so one row that breaks a rule is a failure."""

from __future__ import annotations

from collections.abc import Iterator

from applications.clinical.models import INGRESS, PATIENT_ID, EventType
from applications.clinical.terminology import ANALYTES, Analyte, Kind
from applications.monitoring.checks.silver import NOTHING, name_of, received
from applications.monitoring.findings import Check, Status
from applications.monitoring.tables import Span, Tables, count
from applications.monitoring.thresholds import Quality

DAY_SECONDS = 86_400
SKEW_SECONDS = 300
"""How far ahead the clock of a sender may be, as the validation has it."""
RULES: dict[EventType, dict[str, str]] = {
    EventType.LAB_RESULTS: {},
    EventType.MEDICATIONS: {"dose-not-above-0": "dose <= 0"},
    EventType.ADVERSE_EVENTS: {
        "grade-outside-1-to-5": "grade NOT BETWEEN 1 AND 5", "end-before-start": "end_time < start_time",
        "severe-without-action": "grade >= 3 AND action_taken IS NULL"},
    EventType.DEMOGRAPHICS: {
        "age-impossible": "age NOT BETWEEN 18 AND 120", "weight-impossible": "weight_kg NOT BETWEEN 30 AND 300",
        "height-impossible": "height_cm NOT BETWEEN 100 AND 250"},
    EventType.PATIENT_VITALS: {"systolic-not-above-diastolic": "systolic <= diastolic"},
}
"""What must hold of no row, as SQL, by table; `rules` adds what follows from the terminology and the envelope."""


def rules(kind: EventType) -> dict[str, str]:
    """The name of each rule of a table, and the SQL condition under which a row breaks it."""
    found = {
        "patient-id-form": f"NOT regexp_full_match(patient_id, '{PATIENT_ID}')",
        "event-date-of-another-day": f"event_date - DATE '1970-01-01' <> floor(epoch(event_time) / {DAY_SECONDS})",
        "event-in-future": f"epoch(event_time) > epoch(received_time) + {SKEW_SECONDS}",
        "source-of-another-topic": f"source_topic <> '{kind}'",
        **RULES[kind]}
    if kind is EventType.PATIENT_VITALS:
        found |= {f"{vital.column}-impossible": _outside(vital, vital.column) for vital in ANALYTES if vital.kind is Kind.VITAL}
    if kind is EventType.LAB_RESULTS:
        labs = [analyte for analyte in ANALYTES if analyte.kind is Kind.LAB]
        known = ", ".join(f"('{lab.code}', '{lab.column}', '{lab.unit}')" for lab in labs)
        found |= {"code-analyte-and-unit-not-canonical": f"(code, analyte, unit) NOT IN ({known})"}
        found |= {f"{lab.column}-impossible": f"code = '{lab.code}' AND {_outside(lab, 'value')}" for lab in labs}
    return found


def consistency(tables: Tables, span: Span, limits: Quality) -> Iterator[Check]:
    """For each table and rule one check, whose value is the number of rows that break it."""
    for kind in INGRESS:
        name, rows, broken = name_of(kind), received(tables, kind, span), rules(kind)
        if rows is None:
            continue
        sums = ", ".join(f"count_if({condition})" for condition in broken.values())
        (total, events, places, *counts), = count(
            "SELECT count(*), count(DISTINCT hash(event_id)), "
            f"count(DISTINCT hash(source_partition, source_offset, received_time)), {sums} FROM rows", rows=rows)
        found = {"event-id-twice": total - events, "source-position-twice": total - places,
                 **dict(zip(broken, counts, strict=True))}
        for rule, rows_broken in found.items():
            if total:
                status = Status.FAILURE if rows_broken else Status.OK
                yield Check(rule, name, status, rows_broken, 0, f"{rows_broken} of {total} rows break the rule", "consistency")
            else:
                yield Check(rule, name, Status.SKIPPED, None, 0, NOTHING, "consistency")


def _outside(analyte: Analyte, column: str) -> str:
    return f"{column} NOT BETWEEN {analyte.possible.low} AND {analyte.possible.high}"
