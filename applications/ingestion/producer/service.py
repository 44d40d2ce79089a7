"""The work of kafka-producer: first the history, once; then the present, at its rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice

from applications.clinical.simulation import FaultKind, Faults, Injected, Journal, Live, Message, Pace, Simulation
from applications.ingestion.producer import metrics
from applications.ingestion.producer.sender import Sender
from applications.ingestion.producer.settings import ProducerSettings
from applications.ingestion.simulated.meter import Meter
from applications.ingestion.simulated.state import begin, save
from applications.runtime.logs import log

BATCH = 500
TICK_SECONDS = 1.0
SAVE_SECONDS = 5.0
HELD_SECONDS = 60.0
"""Reports younger than this may still be held back by a fault; a restart makes them again, byte for byte."""
HISTORY_STEP = timedelta(days=1)


@dataclass(frozen=True)
class Summary:
    """What a run did: messages sent and confirmed, faults by kind, seconds, and messages that were never confirmed."""

    sent: int
    confirmed: int
    injected: Mapping[str, int]
    seconds: float
    unconfirmed: int


class Production:
    """One start of the producer. `stopped` is asked often whether to end. Raises BadState for a state file that is none."""

    def __init__(self, settings: ProducerSettings, stopped: Callable[[], bool] = lambda: False,
                 sender: Callable[[str, str, Callable[[Message], None]], Sender] = Sender) -> None:
        self._settings = settings
        self._stopped = stopped
        self._state = begin(settings.state_path, settings.seed)
        self._simulation = Simulation(settings.seed, settings.patients, self._state.start, prefix=settings.patient_prefix,
                                      first_site=settings.first_site, shift=settings.shift, vitals_minutes=settings.vitals_minutes)
        self._faults = Faults(settings.faults, settings.seed, self._note)
        self._journal = Journal(settings.journal_path)
        self._sender = sender(settings.kafka_bootstrap, settings.service, self._confirm)
        self._meter = Meter(settings.rate)
        self._sent = self._confirmed = self._events = 0
        self._injected: dict[str, int] = {}
        self._present = self._done = False
        self._ticked = self._saved = 0.0

    @property
    def checks(self) -> dict[str, Callable[[], str | None]]:
        """The health of this producer."""
        return {"kafka": self._sender.check, "rate": lambda: self._meter.check() if self._present and not self._done else None}

    def run(self) -> Summary:
        """Sends until all is sent or it is asked to end; what was sent is confirmed by then, or counted as unconfirmed."""
        began = time.monotonic()
        metrics.TARGET_RATE.set(self._settings.rate)
        log.info("started", run=self._state.run, rate=self._settings.rate, patients=self._settings.patients)
        try:
            self._send_history()
            self._send_present()
            self._done = True
            for message in self._faults.drain():
                self._sent += self._sender.send(message)
            left = self._confirmations()
        finally:
            self._save()
            self._journal.close()
        summary = Summary(self._sent, self._confirmed, self._injected, time.monotonic() - began, left)
        log.info("ended", sent=summary.sent, confirmed=summary.confirmed, unconfirmed=left)
        return summary

    def _send_history(self) -> None:
        start = self._state.start
        until = self._state.history_until or start - timedelta(days=self._settings.history_days)
        while until < start and not self._stopped():
            following = min(until + HISTORY_STEP, start)
            if not self._send(self._faults.wrap(self._simulation.between(until, following)), Pace(self._settings.history_rate)):
                return
            if self._confirmations():
                return
            # Only a day that is confirmed is done; one that was cut off is sent again, with the same ids and bytes.
            until = following
            self._state = replace(self._state, history_until=until)
            self._save()
            log.info("history-day-sent", until=until.isoformat(), sent=self._sent)
        metrics.HISTORY_DONE.set(until >= start)

    def _send_present(self) -> None:
        left = self._settings.total_events - self._state.confirmed if self._settings.total_events else None
        if self._stopped() or (left is not None and left <= 0):
            return
        self._present = True
        events = Live(self._simulation, self._state.run, self._state.clock)
        self._send(self._faults.wrap(events if left is None else islice(events, left)), Pace(self._settings.rate))

    def _send(self, messages: Iterable[Message], pace: Pace) -> bool:
        """Sends at a pace; False when it was asked to end before all was sent."""
        source = iter(messages)
        while not self._stopped():
            self._tick()
            due = pace.due(BATCH)
            self._sender.poll(0 if due else pace.rest)
            batch = list(islice(source, due))
            for message in batch:
                while not self._sender.send(message):
                    self._tick()
                    if self._stopped():
                        return False
                self._sent += 1
            if len(batch) < due:
                return True
        return False

    def _confirmations(self) -> int:
        """Waits until all is confirmed; once it was asked to end, only for a while. Returns how many messages are not."""
        while not self._stopped() and self._sender.flush(TICK_SECONDS):
            self._tick()
        return self._sender.flush(self._settings.stop_seconds)

    def _note(self, injected: Injected) -> None:
        metrics.INJECTED.labels(injected.kind).inc()
        self._injected[injected.kind] = self._injected.get(injected.kind, 0) + 1

    def _confirm(self, message: Message) -> None:
        self._confirmed += 1
        self._events += self._present and message.kind is not FaultKind.DUPLICATE
        self._journal.confirmed(message)

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._ticked < TICK_SECONDS:
            return
        self._ticked = now
        self._journal.flush()
        metrics.UNCONFIRMED.set(self._sender.unconfirmed)
        if self._present:
            self._meter.sample(self._confirmed)
            metrics.RATE.set(self._meter.rate or 0)
        if now - self._saved >= SAVE_SECONDS:
            self._save()

    def _save(self) -> None:
        self._saved = time.monotonic()
        state = replace(self._state, confirmed=self._state.confirmed + self._events)
        self._events = 0
        if self._present:
            state = replace(state, clock=(self._sender.oldest or time.time()) - HELD_SECONDS)
        self._state = state
        save(self._settings.state_path, state)


def run(settings: ProducerSettings, stopped: Callable[[], bool] = lambda: False) -> Summary:
    """Runs a producer in this thread until `total_events` are confirmed or `stopped()` says so; see `journal_path` for the ids."""
    return Production(settings, stopped).run()
