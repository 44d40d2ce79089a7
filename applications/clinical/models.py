"""Events as they travel: one envelope, one payload a type. JSON, UTF-8; unknown fields are ignored here and kept in bronze."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, StrictBool
from pydantic_core import PydanticCustomError

from applications.clinical.terminology import Sex

SCHEMA_VERSION = "1.0.0"
PATIENT_ID = r"^PT[0-9A-Z]{8}$"
MOST_MEASUREMENTS = 20
SITE_ID = r"^SITE[0-9]{3}$"


class EventType(StrEnum):
    """The types of events; each travels in the topic of its own name."""

    PATIENT_VITALS = "patient-vitals"
    LAB_RESULTS = "lab-results"
    MEDICATIONS = "medications"
    ADVERSE_EVENTS = "adverse-events"
    DEMOGRAPHICS = "demographics"
    CLINICAL_ALERTS = "clinical-alerts"


DEAD_LETTER_TOPIC = "dead-letter"
INGRESS = tuple(kind for kind in EventType if kind is not EventType.CLINICAL_ALERTS)
"""What senders send; alerts are raised inside."""


# "2024-02-30" must fail as a date does, and 1700000000 is no RFC 3339 time although pydantic would take it for one.
# Nor is "1700000000" one.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ].+", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _text(value: Any, form: re.Pattern[str], example: str) -> Any:
    if not isinstance(value, str | date):
        raise PydanticCustomError("text_type", "must be text in RFC 3339 form")
    if isinstance(value, str) and not form.fullmatch(value):
        raise ValueError(f"must be in RFC 3339 form, like {example}")
    return value


def _moment(value: Any) -> Any:
    return _text(value, _MOMENT, "2026-03-01T14:30:00+01:00")


def _day(value: Any) -> Any:
    return _text(value, _DAY, "2026-03-01")


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        # The first and last hours of the calendar have no counterpart in UTC.
        raise ValueError("must be a time that exists in UTC") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_moment), AfterValidator(_utc)]
Day = Annotated[date, BeforeValidator(_day)]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Measurement(_Model):
    """One measured value: LOINC code and UCUM unit."""

    code: Text
    value: Annotated[FiniteFloat, Field(strict=True)]
    unit: Text


class Vitals(_Model):
    """One set of vital signs, measured together."""

    measurements: list[Measurement] = Field(min_length=1, max_length=MOST_MEASUREMENTS)


class Flag(StrEnum):
    """Where a result stands: below, within, above its reference range; LL and HH are critical."""

    CRITICAL_LOW = "LL"
    LOW = "L"
    NORMAL = "N"
    HIGH = "H"
    CRITICAL_HIGH = "HH"


class LabResult(Measurement):
    """One result. `original` is what the laboratory sent where it was converted; `flag` is set by the processor."""

    sex: Sex | None = None
    priority: Literal["routine", "stat"] = "routine"
    flag: Flag | None = None
    original: Measurement | None = None


class Medication(_Model):
    """One administration of a drug; `unit` is UCUM."""

    drug: Text
    dose: Annotated[FiniteFloat, Field(strict=True, gt=0)]
    unit: Text
    route: Text
    frequency: Text
    high_risk: StrictBool = False


class AdverseEvent(_Model):
    """One adverse event, graded by CTCAE (1 mild … 5 death)."""

    term: Text
    grade: Annotated[int, Field(strict=True, ge=1, le=5)]
    start: Moment
    end: Moment | None = None
    related: StrictBool
    action_taken: Text | None = None
    reporter: Text


class Demographics(_Model):
    """Facts of enrolment: age in years, weight in kg, height in cm."""

    age: Annotated[int, Field(strict=True, ge=18, le=120)]
    sex: Sex
    weight_kg: Annotated[FiniteFloat, Field(strict=True, ge=30, le=300)]
    height_cm: Annotated[FiniteFloat, Field(strict=True, ge=100, le=250)]
    enrolment_date: Day


class Alert(_Model):
    """A critical result, for whoever must act on it now."""

    code: Text
    analyte: Text
    value: FiniteFloat
    unit: Text
    flag: Literal[Flag.CRITICAL_LOW, Flag.CRITICAL_HIGH]
    lab_event_id: UUID


class Envelope(_Model):
    """What every event has. `enrolment_date` lets "before the enrolment" be judged from the event alone."""

    event_id: UUID
    schema_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    patient_id: Annotated[str, Field(pattern=PATIENT_ID)]
    study_id: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{1,31}$")]
    site_id: Annotated[str, Field(pattern=SITE_ID)]
    trial_arm: Literal["treatment", "control"]
    event_time: Moment
    recorded_time: Moment
    source: Text
    enrolment_date: Day | None = None


class VitalsEvent(Envelope):
    """An event of patient-vitals."""

    event_type: Literal[EventType.PATIENT_VITALS]
    payload: Vitals


class LabEvent(Envelope):
    """An event of lab-results."""

    event_type: Literal[EventType.LAB_RESULTS]
    payload: LabResult


class MedicationEvent(Envelope):
    """An event of medications."""

    event_type: Literal[EventType.MEDICATIONS]
    payload: Medication


class AdverseEventEvent(Envelope):
    """An event of adverse-events."""

    event_type: Literal[EventType.ADVERSE_EVENTS]
    payload: AdverseEvent


class DemographicsEvent(Envelope):
    """An event of demographics."""

    event_type: Literal[EventType.DEMOGRAPHICS]
    payload: Demographics


class AlertEvent(Envelope):
    """An event of clinical-alerts."""

    event_type: Literal[EventType.CLINICAL_ALERTS]
    payload: Alert


Event = VitalsEvent | LabEvent | MedicationEvent | AdverseEventEvent | DemographicsEvent | AlertEvent

MODELS: dict[EventType, type[Event]] = {
    EventType.PATIENT_VITALS: VitalsEvent, EventType.LAB_RESULTS: LabEvent, EventType.MEDICATIONS: MedicationEvent,
    EventType.ADVERSE_EVENTS: AdverseEventEvent, EventType.DEMOGRAPHICS: DemographicsEvent,
    EventType.CLINICAL_ALERTS: AlertEvent}


class DeadLetter(BaseModel):
    """What could not be read: why, from where, and its bytes.

    Its identity is the source position (topic, partition, offset); one without (a gateway's rejection) is identified by
    its own position in the dead-letter topic.
    """

    model_config = ConfigDict(frozen=True)

    reason: str
    reasons: list[dict[str, str]] = []
    service: str
    source_topic: str | None = None
    source_partition: int | None = None
    source_offset: int | None = None
    key: str | None = None
    raw: str
    """The bytes as they came, base64."""
    recorded_time: Moment

