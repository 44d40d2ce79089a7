"""Rows of the silver tables: a validated event, flattened, in canonical units, each type with its own columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from applications.clinical.models import (
    AdverseEventEvent,
    AlertEvent,
    DemographicsEvent,
    Event,
    EventType,
    LabEvent,
    MedicationEvent,
    VitalsEvent,
)
from applications.clinical.terminology import ANALYTES, Kind
from applications.clinical.units import to_canonical

# Column types are named as Spark SQL names them; no Spark is needed to make a row.
_ENVELOPE = {
    "event_id": "string", "schema_version": "string", "patient_id": "string", "study_id": "string", "site_id": "string",
    "trial_arm": "string", "event_time": "timestamp", "recorded_time": "timestamp", "source": "string",
    "enrolment_date": "date", "event_date": "date"}
_MEASUREMENT = "struct<code:string,value:double,unit:string>"

COLUMNS: Mapping[EventType, Mapping[str, str]] = {
    EventType.PATIENT_VITALS: {
        **_ENVELOPE, **{analyte.column: "double" for analyte in ANALYTES if analyte.kind is Kind.VITAL},
        "original": f"array<{_MEASUREMENT}>"},
    EventType.LAB_RESULTS: {
        **_ENVELOPE, "code": "string", "analyte": "string", "value": "double", "unit": "string", "flag": "string",
        "sex": "string", "priority": "string", "original": _MEASUREMENT},
    EventType.MEDICATIONS: {
        **_ENVELOPE, "drug": "string", "dose": "double", "unit": "string", "route": "string", "frequency": "string",
        "high_risk": "boolean"},
    EventType.ADVERSE_EVENTS: {
        **_ENVELOPE, "term": "string", "grade": "int", "start_time": "timestamp", "end_time": "timestamp",
        "related": "boolean", "action_taken": "string", "reporter": "string"},
    EventType.DEMOGRAPHICS: {
        **_ENVELOPE, "age": "int", "sex": "string", "weight_kg": "double", "height_cm": "double"},
    EventType.CLINICAL_ALERTS: {
        **_ENVELOPE, "code": "string", "analyte": "string", "value": "double", "unit": "string", "flag": "string",
        "lab_event_id": "string"}}
"""The columns of each table and their types. `event_date` (UTC) partitions it."""


def row(event: Event) -> dict[str, Any]:
    """The row of a validated event. Times are aware and in UTC; converted results keep what was sent in `original`."""
    return {"event_id": str(event.event_id), "schema_version": event.schema_version, "patient_id": event.patient_id,
            "study_id": event.study_id, "site_id": event.site_id, "trial_arm": event.trial_arm,
            "event_time": event.event_time, "recorded_time": event.recorded_time, "source": event.source,
            "enrolment_date": event.enrolment_date, "event_date": event.event_time.date(), **_own(event)}


def _own(event: Event) -> dict[str, Any]:
    match event:
        case VitalsEvent(payload=payload):
            found = [to_canonical(m.code, m.value, m.unit) for m in payload.measurements]
            return {**{a.column: None for a in ANALYTES if a.kind is Kind.VITAL},
                    **{canonical.analyte.column: canonical.value for canonical in found},
                    "original": [m.model_dump() for m, c in zip(payload.measurements, found, strict=True) if c.converted]}
        case LabEvent(payload=payload):
            canonical = to_canonical(payload.code, payload.value, payload.unit)
            # The processor's conversion left the first sender's words in `original`; a direct one is converted here.
            sent = payload.original or payload if canonical.converted or payload.original else None
            return {"code": canonical.analyte.code, "analyte": canonical.analyte.column, "value": canonical.value,
                    "unit": canonical.analyte.unit, "flag": payload.flag, "sex": payload.sex, "priority": payload.priority,
                    "original": {"code": sent.code, "value": sent.value, "unit": sent.unit} if sent else None}
        case MedicationEvent(payload=payload):
            return payload.model_dump()
        case AdverseEventEvent(payload=payload):
            return {"term": payload.term, "grade": payload.grade, "start_time": payload.start, "end_time": payload.end,
                    "related": payload.related, "action_taken": payload.action_taken, "reporter": payload.reporter}
        case DemographicsEvent(payload=payload):
            return {"age": payload.age, "sex": payload.sex, "weight_kg": payload.weight_kg,
                    "height_cm": payload.height_cm, "enrolment_date": payload.enrolment_date}
        case AlertEvent(payload=payload):
            return {**payload.model_dump(), "lab_event_id": str(payload.lab_event_id)}
