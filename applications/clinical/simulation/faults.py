"""Faults at set rates: what a bad network, a wrong form and a broken device do to a stream of events, and a ledger of it.

Each event has at most one fault, so that what follows from it can be counted. Units can only be changed in vitals and
laboratory results: struck by that fault, other events pass as they are and are not in the ledger.

| kind | what arrives | what must become of it |
| --- | --- | --- |
| duplicate | the same bytes once more, later | silver holds it once |
| late | happened hours ago, recorded now, sent a while later | silver |
| out-of-order | sent after events that happened later | silver |
| alternate-unit | another unit that the contract accepts | silver, converted |
| wrong-unit | a unit that the code does not allow | quarantine, unit-mismatch |
| malformed | truncated, bad UTF-8, missing field, wrong type, unknown version | quarantine; dead letter if unreadable |
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum

import orjson

from applications.clinical.models import EventType
from applications.clinical.simulation.events import Envelope
from applications.clinical.simulation.risk import randomness
from applications.clinical.simulation.spoiling import MALFORMED, UNREADABLE, alternate, wrong

LATE_HOURS = (2.0, 40.0)
HELD_LATE, HELD_DUPLICATE, HELD_OUT_OF_ORDER = (50, 500), (1, 300), (2, 50)
"""How many events later a held message is sent: at least, at most."""


class FaultKind(StrEnum):
    """What was done to a message."""

    DUPLICATE = "duplicate"
    LATE = "late"
    OUT_OF_ORDER = "out-of-order"
    ALTERNATE_UNIT = "alternate-unit"
    WRONG_UNIT = "wrong-unit"
    MALFORMED = "malformed"


REFUSED = (FaultKind.WRONG_UNIT, FaultKind.MALFORMED)


@dataclass(frozen=True, kw_only=True)
class FaultRates:
    """The share of events, 0 to 1, that each fault strikes. Raises ValueError unless they sum to at most 1."""

    duplicate: float = 0.0
    late: float = 0.0
    out_of_order: float = 0.0
    alternate_unit: float = 0.0
    wrong_unit: float = 0.0
    malformed: float = 0.0

    def __post_init__(self) -> None:
        shares = [getattr(self, field.name) for field in fields(self)]
        if min(shares) < 0 or sum(shares) > 1:
            raise ValueError(f"fault rates are shares from 0 to 1 that sum to at most 1, not {shares}")


@dataclass(frozen=True, slots=True)
class Injected:
    """An entry of the ledger: the fault that was put into the event of this id, and which of its kind."""

    kind: FaultKind
    event_id: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: the bytes for the topic and key, and, out of band, what they are.

    `event` is the object that the bytes hold, None when they were broken on purpose. `kind` is None for a clean message.
    """

    event_id: str
    topic: str
    key: str
    value: bytes
    event: Envelope | None
    kind: FaultKind | None = None
    detail: str = ""

    @property
    def refused(self) -> bool:
        """Whether validation must refuse it."""
        return self.kind in REFUSED

    @property
    def unreadable(self) -> bool:
        """Whether it is not even JSON in UTF-8."""
        return self.kind is FaultKind.MALFORMED and self.detail in UNREADABLE


class Faults:
    """Turns events into messages and strikes some of them. Seed and event_id decide: an event that is sent again after a
    restart meets the same fault, so that no id is ever seen with two contents.

    `ledger` is told of each fault when its message comes out (for a duplicate: the second one).
    """

    def __init__(self, rates: FaultRates, seed: object, ledger: Callable[[Injected], None] = lambda _: None) -> None:
        self._seed = seed
        self._kinds: Sequence[FaultKind | None] = [*FaultKind, None]
        shares = [getattr(rates, kind.name.lower()) for kind in FaultKind]
        self._shares = [*shares, 1 - sum(shares)]
        self._quiet = not sum(shares)
        self._ledger = ledger
        self._held: list[tuple[int, int, Message]] = []
        self._seen = 0

    def wrap(self, events: Iterable[Envelope]) -> Iterator[Message]:
        """The messages of the events: as many, plus one for each duplicate. When the events end, so do those held back."""
        for event in events:
            self._seen += 1
            yield from self._ripe()
            yield from self._struck(event)
        yield from self.drain()

    def drain(self) -> Iterator[Message]:
        """All that is still held back."""
        while self._held:
            yield self._out(heapq.heappop(self._held)[2])

    def _ripe(self) -> Iterator[Message]:
        while self._held and self._held[0][0] <= self._seen:
            yield self._out(heapq.heappop(self._held)[2])

    def _struck(self, event: Envelope) -> Iterator[Message]:
        message = _message(event)
        if self._quiet:
            yield self._out(message)
            return
        draw = randomness(self._seed, "fault", message.event_id)
        kind = draw.choices(self._kinds, self._shares)[0]
        match kind:
            case FaultKind.DUPLICATE:
                yield self._out(message)
                self._hold(_marked(message, kind), draw.randint(*HELD_DUPLICATE))
            case FaultKind.LATE:
                self._hold(_message(_earlier(event, draw), kind), draw.randint(*HELD_LATE))
            case FaultKind.OUT_OF_ORDER:
                self._hold(_marked(message, kind), draw.randint(*HELD_OUT_OF_ORDER))
            case FaultKind.ALTERNATE_UNIT:
                changed = alternate(event, draw)
                yield self._out(_message(changed, kind) if changed else message)
            case FaultKind.WRONG_UNIT:
                changed = wrong(event, draw)
                yield self._out(_message(changed, kind) if changed else message)
            case FaultKind.MALFORMED:
                detail = draw.choice(list(MALFORMED))
                broken = MALFORMED[detail](event, draw)
                yield self._out(Message(message.event_id, message.topic, message.key, broken, None, kind, detail))
            case None:
                yield self._out(message)

    def _hold(self, message: Message, events: int) -> None:
        heapq.heappush(self._held, (self._seen + events, self._seen, message))

    def _out(self, message: Message) -> Message:
        if message.kind is not None:
            self._ledger(Injected(message.kind, message.event_id, message.detail))
        return message


def _message(event: Envelope, kind: FaultKind | None = None) -> Message:
    return Message(event["event_id"], event["event_type"], event["patient_id"], orjson.dumps(event), event, kind)


def _marked(message: Message, kind: FaultKind) -> Message:
    return Message(message.event_id, message.topic, message.key, message.value, message.event, kind)


def _earlier(event: Envelope, draw: random.Random) -> Envelope:
    """The event some hours before, though not before the day after the enrolment, and recorded when it was."""
    moment = datetime.fromisoformat(event["event_time"])
    first = datetime.fromisoformat(event["enrolment_date"]).replace(tzinfo=moment.tzinfo) + timedelta(days=1)
    moved = max(moment - timedelta(hours=draw.uniform(*LATE_HOURS)), min(first, moment)).isoformat(timespec="milliseconds")
    changed = {**event, "event_time": moved}
    if event["event_type"] == EventType.ADVERSE_EVENTS:
        changed["payload"] = {**event["payload"], "start": moved}
    return changed
