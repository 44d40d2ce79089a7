"""From a body to events that are ready to send: parse, validate, and say where each goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from applications.clinical import fhir, hl7
from applications.clinical.models import INGRESS, Event, EventType, LabEvent
from applications.clinical.reasons import Invalid, Reason, ReasonCode, Unparseable
from applications.clinical.units import to_canonical
from applications.clinical.validation import check_object

LAB_RESULTS_KEY = "clinical.lab-results"
PRIORITY_KEY = "clinical.priority"


class Format(StrEnum):
    """The formats that the gateway reads, as metrics name them."""

    FHIR = "fhir"
    HL7 = "hl7"
    JSON = "json"
    NDJSON = "ndjson"


@dataclass(frozen=True, slots=True)
class Ready:
    """One valid event on its way. `routing_key` is the queue's for a laboratory result, None for what goes to Kafka."""

    event_id: UUID
    event_type: EventType
    patient_id: str
    value: bytes
    routing_key: str | None


def read(form: Format, body: bytes, received: datetime) -> list[Ready]:
    """The events of a body, all of them valid, at least one.

    Raises Unparseable when it is not of its format, and Invalid with every reason of every event otherwise.
    """
    found = list(_PARSERS[form](body))
    if not found:
        raise Invalid([Reason(ReasonCode.MISSING_FIELD, "", "there is no event in it")])
    ready: list[Ready] = []
    reasons: list[Reason] = []
    for index, (value, encoded) in enumerate(found):
        try:
            event = check_object(value, received)
            if event.event_type not in INGRESS:
                raise Invalid([Reason(ReasonCode.UNKNOWN_EVENT_TYPE, "event_type", f"must be one of {', '.join(INGRESS)}")])
        except Invalid as error:
            # Where there are several events, the field's path says which of them.
            reasons += error.reasons if len(found) == 1 else [replace(reason, field=f"events[{index}].{reason.field}".rstrip("."))
                                                              for reason in error.reasons]
        else:
            ready.append(Ready(event.event_id, event.event_type, event.patient_id, encoded, routing_key(event)))
    if reasons:
        raise Invalid(reasons)
    return ready


def routing_key(event: Event) -> str | None:
    """Where a laboratory result goes: urgent and critical ones overtake the rest. None for any other event."""
    if not isinstance(event, LabEvent):
        return None
    canonical = to_canonical(event.payload.code, event.payload.value, event.payload.unit)
    critical = canonical.analyte.critical
    urgent = event.payload.priority == "stat" or (critical is not None and canonical.value not in critical)
    return PRIORITY_KEY if urgent else LAB_RESULTS_KEY


# Native events are sent on byte for byte: what our models do not know is kept in bronze.
def _json(body: bytes) -> Iterator[tuple[Any, bytes]]:
    yield _loads(body, "the body"), body.strip()


def _ndjson(body: bytes) -> Iterator[tuple[Any, bytes]]:
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line := line.strip():
            yield _loads(line, f"line {number}"), line


def _fhir(body: bytes) -> Iterator[tuple[Any, bytes]]:
    return ((event, orjson.dumps(event)) for event in fhir.parse(body))


def _hl7(body: bytes) -> Iterator[tuple[Any, bytes]]:
    return ((event, orjson.dumps(event)) for event in hl7.parse(body).events)


def _loads(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # Its own message could quote the text; the place is enough to find the fault.
        raise Unparseable(f"{what} is not JSON in UTF-8: the fault is near character {error.pos}") from None


_PARSERS: dict[Format, Callable[[bytes], Iterator[tuple[Any, bytes]]]] = {
    Format.JSON: _json, Format.NDJSON: _ndjson, Format.FHIR: _fhir, Format.HL7: _hl7}
