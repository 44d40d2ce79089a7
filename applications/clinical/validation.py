"""Validation: raw bytes to an event that the lake can take, or every reason why not.

`received` is when the platform took the event (a Kafka record's timestamp, a gateway's clock). "In the future" is judged
against it and never against now, so that a replay, a backfill and the stream all give the same verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from applications.clinical.models import (
    MODELS,
    MOST_MEASUREMENTS,
    SCHEMA_VERSION,
    AdverseEventEvent,
    Day,
    DemographicsEvent,
    Envelope,
    Event,
    EventType,
    LabEvent,
    Measurement,
    Moment,
    VitalsEvent,
)
from applications.clinical.reasons import Invalid, Reason, ReasonCode
from applications.clinical.terminology import DIASTOLIC, SYSTOLIC, Kind
from applications.clinical.units import UnitMismatch, UnknownCode, to_canonical

CLOCK_SKEW = timedelta(minutes=5)
SEVERE_GRADES = (3, 4, 5)
# Where a day begins first. The offset of an event's time is not kept, so only what is before the day everywhere is refused:
# half past midnight in Kolkata is still the day before in UTC.
EARLIEST_ZONE = timezone(timedelta(hours=14))
MAJOR = SCHEMA_VERSION.partition(".")[0]

_TYPE_FAULTS = ("_type", "_parsing", "_from_float", "timezone_aware")
_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
_DAY: TypeAdapter[date] = TypeAdapter(Day)
_MEASUREMENT: TypeAdapter[Measurement] = TypeAdapter(Measurement)
Read = TypeVar("Read")


def check(raw: bytes | None, received: datetime, topic: str | None = None) -> Event:
    """The event in `raw`. `topic` is where it was found, if in one. Raises Invalid with every reason."""
    if raw is None:
        raise Invalid([Reason(ReasonCode.NO_VALUE, "", "the record has no value")])
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Invalid([Reason(ReasonCode.NOT_JSON, "", f"not JSON in UTF-8: {_where(error)}")]) from None
    return check_object(value, received, topic)


def check_object(value: Any, received: datetime, topic: str | None = None) -> Event:
    """The event in a decoded JSON value. Raises Invalid with every reason."""
    if not isinstance(value, dict):
        raise Invalid([Reason(ReasonCode.NOT_AN_OBJECT, "", "an event is a JSON object")])
    version = value.get("schema_version")
    if isinstance(version, str) and version.partition(".")[0] != MAJOR and version[:1].isdigit():
        raise Invalid([Reason(ReasonCode.UNKNOWN_VERSION, "schema_version", f"only major version {MAJOR} is known here")])
    try:
        kind = EventType(value.get("event_type", ""))
    except ValueError:
        raise Invalid([_type_fault(value), *_envelope_faults(value)]) from None
    try:
        event = MODELS[kind].model_validate(value)
    except ValidationError as error:
        # What can be read is still held against the rules: a sender learns all at once.
        raise Invalid([*_topic_faults(kind, topic), *_model_faults(error), *_faults(_legible(kind, value), received)]) from None
    faults = [*_topic_faults(kind, topic), *_faults(_facts(event), received)]
    if faults:
        raise Invalid(faults)
    return event


def _type_fault(value: Mapping[str, Any]) -> Reason:
    if value.get("event_type") is None:
        return Reason(ReasonCode.MISSING_FIELD, "event_type", "field required")
    return Reason(ReasonCode.UNKNOWN_EVENT_TYPE, "event_type", f"must be one of {', '.join(EventType)}")


def _envelope_faults(value: Mapping[str, Any]) -> Iterator[Reason]:
    try:
        Envelope.model_validate(value)
    except ValidationError as error:
        yield from _model_faults(error)


def _where(error: orjson.JSONDecodeError) -> str:
    return f"line {error.lineno}, column {error.colno}"


def _model_faults(error: ValidationError) -> Iterator[Reason]:
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        kind = fault["type"]
        code = ReasonCode.MISSING_FIELD if kind == "missing" else \
            ReasonCode.WRONG_TYPE if kind.endswith(_TYPE_FAULTS) else ReasonCode.INVALID_VALUE
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]).lstrip(".")
        message = fault["msg"].removeprefix("Value error, ")
        yield Reason(code, path, message[:1].lower() + message[1:])


def _topic_faults(kind: EventType, topic: str | None) -> Iterator[Reason]:
    if topic is not None and topic != kind:
        yield Reason(ReasonCode.WRONG_TOPIC, "event_type", f"an event of this type does not belong into the topic {topic}")


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What the rules judge; None, or left out, where an event does not have it or has it wrong."""

    event_time: datetime | None
    enrolled: date | None
    kind: Kind | None = None
    measurements: Sequence[tuple[str, Measurement]] = ()
    """With the path of each."""
    start: datetime | None = None
    end: datetime | None = None
    severe_without_action: bool = False


def _facts(event: Event) -> _Facts:
    match event:
        case VitalsEvent(payload=payload):
            return _Facts(event_time=event.event_time, enrolled=event.enrolment_date, kind=Kind.VITAL, measurements=[
                (f"payload.measurements[{index}]", one) for index, one in enumerate(payload.measurements)])
        case LabEvent(payload=payload):
            return _Facts(event_time=event.event_time, enrolled=event.enrolment_date, kind=Kind.LAB,
                          measurements=[("payload", payload)])
        case AdverseEventEvent(payload=payload):
            return _Facts(event_time=event.event_time, enrolled=event.enrolment_date, start=payload.start, end=payload.end,
                          severe_without_action=payload.grade in SEVERE_GRADES and payload.action_taken is None)
        case DemographicsEvent(payload=payload):
            return _Facts(event_time=event.event_time, enrolled=payload.enrolment_date)
        case _:
            return _Facts(event_time=event.event_time, enrolled=event.enrolment_date)


def _legible(kind: EventType, value: Mapping[str, Any]) -> _Facts:
    """The facts of an event that its model refused, as far as each can be read on its own."""
    payload = value.get("payload")
    if not isinstance(payload, dict):
        payload = {}
    event_time = _read(_MOMENT, value.get("event_time"))
    enrolled = _read(_DAY, (payload if kind is EventType.DEMOGRAPHICS else value).get("enrolment_date"))
    if kind is EventType.ADVERSE_EVENTS:
        grade = payload.get("grade")
        return _Facts(event_time=event_time, enrolled=enrolled, start=_read(_MOMENT, payload.get("start")),
                      end=_read(_MOMENT, payload.get("end")), severe_without_action=grade in SEVERE_GRADES and
                      payload.get("action_taken") is None)
    if kind is EventType.PATIENT_VITALS:
        sent = payload.get("measurements")
        places = [(f"payload.measurements[{index}]", one) for index, one in enumerate(sent[:MOST_MEASUREMENTS])] \
            if isinstance(sent, list) else []
        return _Facts(event_time=event_time, enrolled=enrolled, kind=Kind.VITAL, measurements=_measurements(places))
    if kind is EventType.LAB_RESULTS:
        return _Facts(event_time=event_time, enrolled=enrolled, kind=Kind.LAB, measurements=_measurements([("payload", payload)]))
    return _Facts(event_time=event_time, enrolled=enrolled)


def _measurements(places: Sequence[tuple[str, Any]]) -> list[tuple[str, Measurement]]:
    return [(path, found) for path, one in places if (found := _read(_MEASUREMENT, one)) is not None]


def _read(adapter: TypeAdapter[Read], value: Any) -> Read | None:
    try:
        return adapter.validate_python(value)
    except ValidationError:
        return None


def _faults(facts: _Facts, received: datetime) -> Iterator[Reason]:
    if facts.event_time is not None:
        if facts.event_time > received + CLOCK_SKEW:
            yield Reason(ReasonCode.EVENT_IN_FUTURE, "event_time", "more than 5 minutes after the event was received")
        if facts.enrolled is not None and facts.event_time < datetime.combine(facts.enrolled, time.min, EARLIEST_ZONE):
            yield Reason(ReasonCode.BEFORE_ENROLMENT, "event_time", "before the day of the patient's enrolment")
    if facts.kind is not None:
        yield from _results_faults(facts.measurements, facts.kind)
    if facts.start is not None and facts.end is not None and facts.end < facts.start:
        yield Reason(ReasonCode.END_BEFORE_START, "payload.end", "before the start of the adverse event")
    if facts.severe_without_action:
        yield Reason(ReasonCode.SEVERE_WITHOUT_ACTION, "payload.action_taken", "needed for grade 3 and above")


def _results_faults(measurements: Sequence[tuple[str, Measurement]], kind: Kind) -> Iterator[Reason]:
    values: dict[str, float] = {}
    for field, measurement in measurements:
        faults = list(_measurement_faults(measurement, field, kind))
        yield from faults
        if not faults:
            canonical = to_canonical(measurement.code, measurement.value, measurement.unit)
            if canonical.analyte.code in values:
                yield Reason(ReasonCode.REPEATED_CODE, f"{field}.code", "measured twice in one set")
            values[canonical.analyte.code] = canonical.value
    if SYSTOLIC in values and DIASTOLIC in values and values[SYSTOLIC] <= values[DIASTOLIC]:
        yield Reason(ReasonCode.SYSTOLIC_NOT_ABOVE_DIASTOLIC, "payload.measurements",
                     "the systolic pressure must be above the diastolic")


def _measurement_faults(measurement: Measurement, field: str, kind: Kind) -> Iterator[Reason]:
    try:
        canonical = to_canonical(measurement.code, measurement.value, measurement.unit)
    except UnknownCode as error:
        yield Reason(ReasonCode.UNKNOWN_CODE, f"{field}.code", str(error))
    except UnitMismatch as error:
        yield Reason(ReasonCode.UNIT_MISMATCH, f"{field}.unit", str(error))
    else:
        if canonical.analyte.kind is not kind:
            yield Reason(ReasonCode.UNKNOWN_CODE, f"{field}.code", f"{canonical.analyte.name} is no {kind} sign" if
                         kind is Kind.VITAL else f"{canonical.analyte.name} is no laboratory result")
        elif not canonical.possible:
            possible = canonical.analyte.possible
            yield Reason(ReasonCode.IMPOSSIBLE_VALUE, f"{field}.value",
                         f"{canonical.analyte.name} is between {possible.low:g} and {possible.high:g} {canonical.analyte.unit}")
