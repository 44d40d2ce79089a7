"""The pipeline that every way in shares: read, send on, wait for the broker, write down, answer.

All or nothing at validation: one invalid event refuses its whole body. When brokers confirm only part of a body in time,
the sender is told to come again (503); a repeat of the same body then finds what was confirmed already taken and sends
the rest. An id on its way is sent once, however many bodies hold it: the later ones wait for the first one's outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from applications.clinical.reasons import Invalid, Reason, ReasonCode, Unparseable
from applications.ingestion.gateway import metrics
from applications.ingestion.gateway.identifiers import without_identifiers
from applications.ingestion.gateway.ledger import Ledger, LedgerFault
from applications.ingestion.gateway.reading import Format, Ready, read
from applications.ingestion.gateway.senders import Away, KafkaWay, Sender
from applications.runtime.logs import log

INLINE_BYTES = 16 * 1024
MOST_REASONS = 1000


class Status(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Taken:
    """An event that is safe now."""

    event_id: UUID
    status: Status


class Intake:
    """Takes bodies. `confirm_seconds` is how long a sender waits for the brokers at most."""

    def __init__(self, kafka: KafkaWay, queue: Sender, ledger: Ledger, confirm_seconds: float) -> None:
        self._kafka, self._queue, self._ledger = kafka, queue, ledger
        self._confirm_seconds = confirm_seconds
        self._on_their_way: dict[UUID, asyncio.Task[None]] = {}
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")

    async def take(self, form: Format, body: bytes) -> list[Taken]:
        """Takes every event of a body. Raises Unparseable, Invalid (the body is in quarantine then), or Away."""
        try:
            events = await self._read(form, body, datetime.now(UTC))
        except Unparseable:
            metrics.REJECTED.labels(ReasonCode.NOT_PARSED).inc()
            raise
        except Invalid as error:
            raise await self._refuse(error.reasons, without_identifiers(form, body)) from None
        return await self._deliver(form, events)

    async def finish(self, seconds: float) -> int:
        """Waits for the events on their way; returns how many are still unconfirmed."""
        left = set(self._on_their_way.values())
        if left:
            _, left = await asyncio.wait(left, timeout=seconds)
        self._reader.shutdown(wait=False)
        return len(left)

    async def _read(self, form: Format, body: bytes, received: datetime) -> list[Ready]:
        if len(body) <= INLINE_BYTES:
            return read(form, body, received)
        # A large body takes long to read: in a thread, one at a time, so that the others are answered meanwhile.
        return await asyncio.get_running_loop().run_in_executor(self._reader, read, form, body, received)

    async def _refuse(self, reasons: Sequence[Reason], body: bytes) -> Invalid:
        left_out = len(reasons) - MOST_REASONS
        if left_out > 0:
            words = f"{left_out} more reasons are left out: send fewer events at once to see them"
            reasons = [*reasons[:MOST_REASONS], Reason(reasons[0].code, "", words)]
        await self._confirmed({asyncio.create_task(self._kafka.quarantine(reasons, body))})
        for code in {reason.code for reason in reasons}:
            metrics.REJECTED.labels(code).inc()
        return Invalid(reasons)

    async def _deliver(self, form: Format, events: Sequence[Ready]) -> list[Taken]:
        try:
            known = self._ledger.known(event.event_id for event in events)
        except LedgerFault as error:
            raise Away(str(error)) from None
        fresh: dict[UUID, Ready] = {}
        for event in events:
            if event.event_id not in known and event.event_id not in self._on_their_way:
                fresh.setdefault(event.event_id, event)
        awaited = {self._on_their_way[event.event_id] for event in events if event.event_id in self._on_their_way}
        self._require(fresh.values())
        awaited |= {self._start(form, event) for event in fresh.values()}
        await self._confirmed(awaited)
        taken = []
        for event in events:
            # The first of an id is the one that was sent; a second in the same body repeats it.
            status = Status.ACCEPTED if fresh.pop(event.event_id, None) else Status.REPEATED
            taken.append(Taken(event.event_id, status))
        repeated = sum(one.status is Status.REPEATED for one in taken)
        if repeated:
            metrics.REPEATED.labels(form).inc(repeated)
        return taken

    def _require(self, events: Iterable[Ready]) -> None:
        """Raises Away before anything is sent when something that one of the events needs is away."""
        ways = {self._way(event) for event in events}
        faults = [way.fault for way in ways] + [self._ledger.fault] * bool(ways)
        if any(faults):
            raise Away("; ".join(fault for fault in faults if fault))

    def _way(self, event: Ready) -> Sender:
        return self._kafka if event.routing_key is None else self._queue

    def _start(self, form: Format, event: Ready) -> asyncio.Task[None]:
        """Sends an event in a task that outlives its request: a late confirmation is still written down."""
        task = asyncio.create_task(self._send(form, event))
        self._on_their_way[event.event_id] = task
        metrics.UNCONFIRMED.set(len(self._on_their_way))

        def arrived(_: asyncio.Task[None]) -> None:
            del self._on_their_way[event.event_id]
            metrics.UNCONFIRMED.set(len(self._on_their_way))

        task.add_done_callback(arrived)
        return task

    async def _send(self, form: Format, event: Ready) -> None:
        await self._way(event).send(event)
        await self._ledger.add(event.event_id)
        metrics.ACCEPTED.labels(event.event_type, form).inc()

    async def _confirmed(self, awaited: set[asyncio.Task[None]]) -> None:
        """Waits for tasks that send. Raises Away unless all of them end well in time; none is cancelled."""
        if not awaited:
            return
        for task in awaited:
            task.add_done_callback(_look_at)
        done, pending = await asyncio.wait(awaited, timeout=self._confirm_seconds)
        faults = {str(fault) for task in done if (fault := task.exception()) is not None}
        if pending:
            faults.add("not confirmed in time")
        if faults:
            raise Away("; ".join(sorted(faults)))


def _look_at(task: asyncio.Task[None]) -> None:
    """Takes a failure's exception, which asyncio would log otherwise, in words that may quote an event."""
    fault = None if task.cancelled() else task.exception()
    if fault is not None and not isinstance(fault, Away | LedgerFault):
        log.error("sending-failed", error=type(fault).__name__)
