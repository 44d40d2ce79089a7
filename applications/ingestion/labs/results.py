"""What is made of one laboratory result: its canonical form, its flag, and the alert of a critical one."""

from __future__ import annotations

from uuid import UUID, uuid5

import orjson

from applications.clinical.models import SCHEMA_VERSION, Alert, AlertEvent, EventType, Flag, LabEvent
from applications.clinical.terminology import Sex
from applications.clinical.units import Canonical, to_canonical

SOURCE = "lab-results-processor"


def canonical_of(event: LabEvent) -> Canonical:
    """The result in its analyte's canonical unit. The event is a validated one."""
    return to_canonical(event.payload.code, event.payload.value, event.payload.unit)


def flag_of(result: Canonical, sex: Sex | None) -> Flag:
    """Where a result stands. The ends of a range belong to it; critical limits go before the reference range."""
    value, critical, reference = result.value, result.analyte.critical, result.analyte.reference_for(sex)
    if critical is not None and value < critical.low:
        return Flag.CRITICAL_LOW
    if critical is not None and value > critical.high:
        return Flag.CRITICAL_HIGH
    return Flag.LOW if value < reference.low else Flag.HIGH if value > reference.high else Flag.NORMAL


def canonical_event(raw: bytes, event: LabEvent, result: Canonical, flag: Flag) -> bytes:
    """The event as Kafka gets it: the sender's own, whatever else it holds, with the payload in canonical form.

    What was sent stands in `original` where it differs. A flag of the sender's is replaced.
    """
    value = orjson.loads(raw)
    sent = event.payload
    changed = {"code": result.analyte.code, "value": result.value, "unit": result.analyte.unit, "flag": flag}
    if result.converted and sent.original is None:
        changed["original"] = {"code": sent.code, "value": sent.value, "unit": sent.unit}
    value["payload"] |= changed
    return orjson.dumps(value)


def alert_of(event: LabEvent, result: Canonical, flag: Flag) -> AlertEvent | None:
    """The alert of a critical result, else None. Nothing in it depends on when it is made: a redelivery repeats it."""
    if flag is not Flag.CRITICAL_LOW and flag is not Flag.CRITICAL_HIGH:
        return None
    return AlertEvent(
        event_id=alert_id(event.event_id), schema_version=SCHEMA_VERSION, event_type=EventType.CLINICAL_ALERTS,
        patient_id=event.patient_id, study_id=event.study_id, site_id=event.site_id, trial_arm=event.trial_arm,
        event_time=event.event_time, recorded_time=event.recorded_time, source=SOURCE, enrolment_date=event.enrolment_date,
        payload=Alert(code=result.analyte.code, analyte=result.analyte.column, value=result.value, unit=result.analyte.unit,
                      flag=flag, lab_event_id=event.event_id))


def alert_id(lab_event_id: UUID) -> UUID:
    """The id of the alert that a laboratory event raises: always the same one."""
    return uuid5(lab_event_id, EventType.CLINICAL_ALERTS)
