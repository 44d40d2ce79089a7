"""The forms in which events are sent, whose turn it is, and their bodies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from applications.clinical import fhir, hl7
from applications.clinical.models import EventType
from applications.clinical.simulation import Message

OLDEST_SECONDS = 1.0
"""How long an event waits for others to share its body."""


class Form(StrEnum):
    """How a body is sent."""

    FHIR = "fhir"
    HL7 = "hl7"
    MLLP = "mllp"
    JSON = "json"
    NDJSON = "ndjson"


PATHS: Mapping[Form, tuple[str, str]] = {
    Form.FHIR: ("/fhir", "application/fhir+json"), Form.HL7: ("/hl7", "application/hl7-v2"),
    Form.MLLP: ("/hl7", "application/hl7-v2"), Form.JSON: ("/events", "application/json"),
    Form.NDJSON: ("/events", "application/x-ndjson")}
"""Path and media type by HTTP; MLLP's are for the message that goes that way in the end."""
BATCHED = (Form.FHIR, Form.NDJSON)
_OBSERVED = (EventType.PATIENT_VITALS, EventType.LAB_RESULTS)
"""What ORU^R01 has a place for."""


@dataclass(frozen=True, slots=True)
class Body:
    """One request, and the messages that are in it."""

    form: Form
    content: bytes
    messages: Sequence[Message]


class Turns:
    """Whose turn it is: each form as often as its share says, evenly spread."""

    def __init__(self, shares: Mapping[Form, float]) -> None:
        self._shares = {form: share for form, share in shares.items() if share > 0}
        self._credit = dict.fromkeys(self._shares, 0.0)

    def next(self, possible: Iterable[Form]) -> Form:
        """One of the forms that are possible; native JSON when none of them has a share."""
        able = [form for form in possible if form in self._shares]
        if not able:
            return Form.JSON
        for form in able:
            self._credit[form] += self._shares[form]
        chosen = max(able, key=lambda form: self._credit[form])
        self._credit[chosen] -= sum(self._shares[form] for form in able)
        return chosen


class Batcher:
    """Puts messages into bodies: FHIR Bundles and NDJSON hold several events, the others one."""

    def __init__(self, shares: Mapping[Form, float], batch_events: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._turns = Turns(shares)
        self._most = batch_events
        self._clock = clock
        self._waiting: dict[Form, list[Message]] = {form: [] for form in BATCHED}
        self._since: dict[Form, float] = {}

    def add(self, message: Message) -> Iterator[Body]:
        """Takes a message; gives the bodies that are full with it."""
        form = self._turns.next(_possible(message))
        if form not in BATCHED:
            yield _body(form, [message])
            return
        waiting = self._waiting[form]
        # Both of a pair of duplicates in one body would be no repeat of a request.
        if any(other.event_id == message.event_id for other in waiting):
            yield self._close(form)
        if not self._waiting[form]:
            self._since[form] = self._clock()
        self._waiting[form].append(message)
        if len(self._waiting[form]) >= self._most:
            yield self._close(form)

    def aged(self, seconds: float = OLDEST_SECONDS) -> Iterator[Body]:
        """The bodies whose first event has waited so long."""
        for form in BATCHED:
            if self._waiting[form] and self._clock() - self._since[form] >= seconds:
                yield self._close(form)

    def _close(self, form: Form) -> Body:
        messages, self._waiting[form] = self._waiting[form], []
        return _body(form, messages)


def _possible(message: Message) -> Sequence[Form]:
    if message.refused or message.event is None:
        return (Form.JSON,)
    return tuple(Form) if message.topic in _OBSERVED else (Form.FHIR, Form.JSON, Form.NDJSON)


def _body(form: Form, messages: Sequence[Message]) -> Body:
    events = [message.event for message in messages if message.event is not None]
    match form:
        case Form.FHIR:
            content = orjson.dumps(fhir.bundle(events))
        case Form.HL7 | Form.MLLP:
            content = hl7.oru_r01(events)
        case Form.JSON | Form.NDJSON:
            content = b"\n".join(message.value for message in messages)
    return Body(form, content, messages)
