"""The work of kafka-consumer: reads, buffers by partition, writes what is due, whatever else happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from applications.ingestion.consumer import metrics
from applications.ingestion.consumer.bronze import StoreError
from applications.ingestion.consumer.buffers import Bounds, Buffer
from applications.ingestion.consumer.letters import Send
from applications.ingestion.consumer.opening import Ends, Offsets, open_buffers
from applications.ingestion.consumer.records import Place, Record
from applications.ingestion.consumer.settings import ConsumerSettings
from applications.ingestion.consumer.source import SourceError
from applications.ingestion.consumer.writing import Journal, Store, Writer
from applications.runtime.logs import log

POLL_SECONDS, OBSERVE_SECONDS = 0.2, 10.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 15.0
HANGING_SECONDS = 150.0
"""The longest round when the store and Kafka both let us wait takes less."""
Clock = Callable[[], float]


class Kafka(Offsets, Journal, Protocol):
    """Kafka, see source.py."""

    def subscribe(self, assigned: Callable[[list[Place]], None], revoked: Callable[[list[Place]], None],
                  lost: Callable[[list[Place]], None]) -> None: ...
    def poll(self, seconds: float) -> Iterable[tuple[Place, Record | int]]: ...
    def start(self, positions: dict[Place, int]) -> None: ...
    def pause(self, places: Collection[Place]) -> None: ...
    def resume(self, places: Collection[Place]) -> None: ...
    def check(self) -> str | None: ...
    def close(self) -> None: ...


class Lake(Store, Protocol):
    """The bronze bucket, see bronze.py."""

    @property
    def ends(self) -> Ends:
        """What is stored of a topic."""


class TopicMadeAnew(Exception):
    """A topic was deleted and made anew while it was read; a new start begins with the new one."""


class Consumption:
    """One member of the group, in one thread. `step` is one turn; `checks` may be asked by other threads."""

    def __init__(self, settings: ConsumerSettings, kafka: Kafka, lake: Lake, send: Send, clock: Clock = time.monotonic) -> None:
        self._settings, self._kafka, self._lake, self._clock = settings, kafka, lake, clock
        self._bounds = Bounds(settings.flush_records, settings.flush_bytes, settings.flush_seconds)
        self._writer = Writer(kafka, lake, send)
        self._buffers: dict[Place, Buffer] = {}
        self._assigned: set[Place] = set()
        self._opening = False
        self._refused: dict[Place, str] = {}
        self._paused: set[Place] = set()
        self._failures, self._not_before, self._last_error = 0, 0.0, ""
        self._observed = self._stepped = clock()
        kafka.subscribe(self._on_assigned, self._on_revoked, self._drop)

    @property
    def checks(self) -> dict[str, Callable[[], str | None]]:
        """The health of this service."""
        return {"kafka": self._kafka.check, "assignment": self._check_assignment, "store": self._check_store,
                "records": lambda: "; ".join(self._refused.values()) or None, "loop": self._check_loop}

    def run(self, stopped: Callable[[], bool]) -> None:
        """Goes on until asked to stop; then stores what was read. Raises SourceError, TopicMadeAnew: start again then."""
        try:
            while not stopped():
                self.step()
            self._finish()
        finally:
            self._writer.close()

    def step(self) -> None:
        """One turn: reads what is there, and writes what is due."""
        self._stepped = self._clock()
        for place, found in self._kafka.poll(POLL_SECONDS):
            buffer = self._buffers.get(place)
            if buffer is None:
                continue
            if isinstance(found, Record):
                buffer.add(found)
            else:
                buffer.reach_end(found)
        if self._clock() >= self._not_before:
            if self._opening:
                self._open()
            now = self._clock()
            self._write([buffer for buffer in self._buffers.values() if buffer.due(now)])
        self._keep_bounds()
        if self._clock() - self._observed >= OBSERVE_SECONDS:
            self._observed = self._clock()
            self._observe()

    def _open(self) -> None:
        try:
            buffers, self._refused = open_buffers(self._kafka, self._lake.ends, self._assigned, self._bounds)
            self._kafka.start({buffer.place: buffer.position for buffer in buffers})
        except (SourceError, StoreError) as error:
            self._fail(str(error))
            return
        self._buffers, self._opening, self._paused = {buffer.place: buffer for buffer in buffers}, False, set()
        log.info("reading", partitions=len(buffers), unfinished=sum(buffer.journaled for buffer in buffers))

    def _write(self, buffers: list[Buffer]) -> bool:
        if not buffers:
            return True
        error = self._writer.write(buffers)
        if error is not None:
            metrics.STORE_ERRORS.inc()
            self._fail(error)
            return False
        if self._failures:
            log.info("store-back", failures=self._failures)
        self._failures = 0
        return True

    def _fail(self, error: str) -> None:
        self._failures += 1
        self._last_error = error
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE_SECONDS)
        self._not_before = self._clock() + pause
        log.warning("not-stored", error=error, failures=self._failures, pause_seconds=pause)

    def _keep_bounds(self) -> None:
        """Holds all buffers below the bound: writes the biggest, and while that does not help reads no more."""
        most = self._settings.max_memory_bytes
        while self._held() >= most and self._clock() >= self._not_before:
            ready = self._ready()
            if not ready or not self._write([max(ready, key=lambda buffer: buffer.bytes)]):
                break
        held = self._held()
        metrics.BUFFERED.set(held)
        if held >= most:
            # A partition whose object waits for its records is read on: it cannot be written without them.
            self._pause({place for place, buffer in self._buffers.items() if not buffer.awaited} - self._paused)
        elif self._paused and held <= most // 2:
            self._kafka.resume(self._paused)
            self._paused = set()
        metrics.PAUSED.set(bool(self._paused))

    def _pause(self, places: set[Place]) -> None:
        if places:
            self._kafka.pause(places)
            self._paused |= places
            log.warning("paused", partitions=len(places), buffered_bytes=self._held())

    def _ready(self) -> list[Buffer]:
        return [buffer for buffer in self._buffers.values() if buffer.ready]

    def _held(self) -> int:
        return sum(buffer.bytes for buffer in self._buffers.values())

    def _observe(self) -> None:
        try:
            epochs = self._kafka.epochs({topic for topic, _ in self._buffers})
            offsets = self._kafka.bounds(list(self._buffers))
        except SourceError as error:
            log.warning("not-observed", error=str(error))
            return
        for place, buffer in self._buffers.items():
            metrics.LAG.labels(*map(str, place)).set(offsets[place][1] - buffer.position)
            if epochs[place[0]] != buffer.epoch:
                raise TopicMadeAnew(f"the topic {place[0]} was made anew")

    def _on_assigned(self, places: list[Place]) -> None:
        self._assigned, self._opening, self._refused = set(places), True, {}
        self._buffers, self._paused = {}, set()
        metrics.LAG.clear()

    def _on_revoked(self, places: list[Place]) -> None:
        # Not needed for safety, the next owner reads it again: it only saves that work.
        self._write([buffer for buffer in self._ready() if buffer.place in places])
        self._drop(places)

    def _drop(self, places: list[Place]) -> None:
        for place in places:
            self._buffers.pop(place, None)
        self._assigned -= set(places)
        self._paused -= set(places)
        self._refused = {place: words for place, words in self._refused.items() if place not in places}

    def _finish(self) -> None:
        end = self._clock() + self._settings.stop_seconds
        while self._clock() < end:
            ready = self._ready()
            if not ready or not self._write(ready):
                break
        left = sum(len(buffer.records) for buffer in self._buffers.values())
        self._buffers = {}
        self._kafka.close()
        log.info("ended", left_for_the_next_start=left)

    def _check_assignment(self) -> str | None:
        if not self._assigned:
            return "no partition is assigned"
        return f"not reading yet: {self._last_error or 'looking for where to begin'}" if self._opening else None

    def _check_store(self) -> str | None:
        since = [found for buffer in list(self._buffers.values()) if (found := buffer.waiting_since()) is not None]
        age = self._clock() - min(since) if since else 0.0
        if age <= self._settings.flush_seconds + self._settings.late_seconds:
            return None
        return f"records wait since {age:.0f} s, nothing is lost; the last error: {self._last_error or 'none'}"

    def _check_loop(self) -> str | None:
        age = self._clock() - self._stepped
        return f"has not moved for {age:.0f} s" if age > HANGING_SECONDS else None
