"""The work of clinical-data-generator: events of now, in every form, at a rate, each body until it has its answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

import httpx

from applications.clinical.simulation import FaultKind, Faults, Injected, Journal, Live, Pace, Simulation
from applications.ingestion.generator import metrics
from applications.ingestion.generator.forms import Batcher, Body
from applications.ingestion.generator.gateway import TAKEN, Gateway
from applications.ingestion.generator.mllp import MllpClient
from applications.ingestion.generator.settings import GeneratorSettings
from applications.ingestion.simulated.meter import Meter
from applications.ingestion.simulated.state import begin, save
from applications.runtime.logs import log

BATCH = 100
TICK_SECONDS = 1.0
SAVE_SECONDS = 5.0
HELD_SECONDS = 60.0
"""Reports younger than this may still be held back by a fault; a restart makes them again, byte for byte."""
WAIT_SECONDS = 0.05
CHECK_SECONDS = 3.0


@dataclass(frozen=True)
class Summary:
    """What a run did: events sent, events by their final answer (HTTP status, or AA by MLLP), faults by kind, seconds, and
    events that had no final answer when it ended."""

    sent: int
    answers: Mapping[str, int]
    injected: Mapping[str, int]
    seconds: float
    unanswered: int

    @property
    def accepted(self) -> int:
        """Events that the gateway took, repeats among them."""
        return sum(count for status, count in self.answers.items() if status in TAKEN)


class Generation:
    """One start of the generator. `stopped` is asked often whether to end. Raises BadState for a state file that is none."""

    def __init__(self, settings: GeneratorSettings, stopped: Callable[[], bool] = lambda: False,
                 transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._stopped = stopped
        self._transport = transport
        self._state = begin(settings.state_path, settings.seed)
        self._simulation = Simulation(settings.seed, settings.patients, self._state.start, prefix=settings.patient_prefix,
                                      first_site=settings.first_site, shift=settings.shift)
        self._faults = Faults(settings.faults, settings.seed, self._note)
        self._journal = Journal(settings.journal_path)
        self._meter = Meter(settings.rate)
        self._gateway: Gateway | None = None
        self._sent = self._events = 0
        self._answers: Counter[str] = Counter()
        self._injected: Counter[str] = Counter()
        self._pending: dict[int, tuple[float, int]] = {}
        self._done = False
        self._ticked = self._saved = 0.0

    @property
    def checks(self) -> dict[str, Callable[[], str | None]]:
        """The health of this generator."""
        return {"gateway": self._reachable, "key": self._key,
                "rate": lambda: None if self._done else self._meter.check()}

    def run(self) -> Summary:
        """Sends until all is answered or it is asked to end."""
        return asyncio.run(self._run())

    async def _run(self) -> Summary:
        settings = self._settings
        began = time.monotonic()
        metrics.TARGET_RATE.set(settings.rate)
        log.info("started", run=self._state.run, rate=settings.rate, patients=settings.patients)
        self._gateway = Gateway(settings.gateway_url, settings.api_key.get_secret_value(),
                                MllpClient(settings.mllp_host, settings.mllp_port), settings.connections, self._transport)
        queue: asyncio.Queue[Body] = asyncio.Queue(2 * settings.connections)
        try:
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(self._work(self._gateway, queue)) for _ in range(settings.connections)]
                await self._fill(queue)
                self._done = True
                await self._finish()
                for worker in workers:
                    worker.cancel()
        finally:
            await self._gateway.close()
            self._save()
            self._journal.close()
        unanswered = sum(count for _, count in self._pending.values())
        summary = Summary(self._sent, self._answers, self._injected, time.monotonic() - began, unanswered)
        log.info("ended", sent=summary.sent, answers=dict(summary.answers), unanswered=unanswered)
        return summary

    async def _fill(self, queue: asyncio.Queue[Body]) -> None:
        """Makes bodies at the pace of the events until there are no more, or it was asked to end."""
        settings = self._settings
        left = max(settings.total_events - self._state.confirmed, 0) if settings.total_events else None
        events = islice(Live(self._simulation, self._state.run, self._state.clock), left)
        source = self._faults.wrap(events)
        batcher = Batcher(settings.shares, settings.batch_events)
        pace = Pace(settings.rate)
        ended = False
        while not (ended or self._stopped()):
            due = pace.due(BATCH)
            messages = list(islice(source, due))
            ended = len(messages) < due
            await self._put(queue, (body for message in messages for body in batcher.add(message)))
            await self._put(queue, batcher.aged())
            self._tick()
            await asyncio.sleep(pace.rest if not due else 0)
        await self._put(queue, (body for message in self._faults.drain() for body in batcher.add(message)))
        await self._put(queue, batcher.aged(0))

    async def _put(self, queue: asyncio.Queue[Body], bodies: Iterable[Body]) -> None:
        """Hands bodies to the workers; what does not fit waits, until it was asked to end."""
        for body in bodies:
            while queue.full() and not self._stopped():
                self._tick()
                await asyncio.sleep(WAIT_SECONDS)
            if queue.full():
                return
            self._sent += len(body.messages)
            metrics.SENT.labels(body.form).inc(len(body.messages))
            self._pending[id(body)] = time.time(), len(body.messages)
            queue.put_nowait(body)

    async def _work(self, gateway: Gateway, queue: asyncio.Queue[Body]) -> None:
        while True:
            body = await queue.get()
            status = await gateway.deliver(body)
            del self._pending[id(body)]
            self._answered(body, status)

    async def _finish(self) -> None:
        """Waits for all answers; once it was asked to end, only for a while."""
        asked = 0.0
        while self._pending:
            if self._stopped():
                asked = asked or time.monotonic()
                if time.monotonic() - asked > self._settings.stop_seconds:
                    return
            self._tick()
            await asyncio.sleep(WAIT_SECONDS)

    def _answered(self, body: Body, status: str) -> None:
        count = len(body.messages)
        self._answers[status] += count
        (metrics.CONFIRMED if status in TAKEN else metrics.REFUSED).labels(body.form).inc(count)
        for message in body.messages:
            self._events += message.kind is not FaultKind.DUPLICATE
            self._journal.confirmed(message, status)
        if status not in TAKEN and not all(message.refused for message in body.messages):
            log.error("refused-unexpectedly", form=body.form, status=status,
                      event_ids=[message.event_id for message in body.messages])

    def _note(self, injected: Injected) -> None:
        metrics.INJECTED.labels(injected.kind).inc()
        self._injected[injected.kind] += 1

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._ticked < TICK_SECONDS:
            return
        self._ticked = now
        self._journal.flush()
        metrics.UNANSWERED.set(sum(count for _, count in self._pending.values()))
        self._meter.sample(self._answers.total())
        metrics.RATE.set(self._meter.rate or 0)
        if now - self._saved >= SAVE_SECONDS:
            self._save()

    def _save(self) -> None:
        self._saved = time.monotonic()
        oldest = min((sent for sent, _ in self._pending.values()), default=time.time())
        self._state = replace(self._state, confirmed=self._state.confirmed + self._events, clock=oldest - HELD_SECONDS)
        self._events = 0
        save(self._settings.state_path, self._state)

    def _reachable(self) -> str | None:
        try:
            httpx.get(f"{self._settings.gateway_url.rstrip('/')}/live", timeout=CHECK_SECONDS, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            return f"the gateway does not answer at {self._settings.gateway_url}: {type(error).__name__}"
        return None

    def _key(self) -> str | None:
        refused = self._gateway.refused_key if self._gateway else None
        return f"the gateway answers {refused} to our key; is the secret api_key one of its keys?" if refused else None


def run(settings: GeneratorSettings, stopped: Callable[[], bool] = lambda: False) -> Summary:
    """Runs a generator in this thread until `total_events` are answered or `stopped()` says so; see `journal_path` for the ids."""
    return Generation(settings, stopped).run()
