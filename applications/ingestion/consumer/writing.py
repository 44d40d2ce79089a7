"""One round of writing: names into the journal, objects into the store, letters out, offsets forward."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from applications.ingestion.consumer import letters, metrics
from applications.ingestion.consumer.bronze import StoreError
from applications.ingestion.consumer.buffers import Buffer
from applications.ingestion.consumer.journal import Mark
from applications.ingestion.consumer.letters import LetterError
from applications.ingestion.consumer.objects import Name, encode
from applications.ingestion.consumer.records import Place
from applications.ingestion.consumer.source import SourceError

AT_ONCE = 4
"""Objects that are written side by side; each holds its records several times while it is made."""


class Journal(Protocol):
    """Where offsets are committed."""

    def commit(self, marks: Mapping[Place, tuple[int, str]]) -> None:
        """Commits offsets and metadata."""


class Store(Protocol):
    """Where objects are put."""

    def put(self, name: Name, content: bytes) -> bool:
        """Stores one, unless it is there."""


class Writer:
    """Writes the next object of buffers. What fails stays in its buffer under its name, and is tried again as it is."""

    def __init__(self, journal: Journal, store: Store, send: letters.Send) -> None:
        self._journal, self._store, self._send = journal, store, send
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="writer")

    def write(self, buffers: Sequence[Buffer]) -> str | None:
        """Writes one object of each buffer; what went wrong, if something did.

        Those that failed come last: one that can never be written does not keep the others from it.
        """
        begin, buffers = time.monotonic(), sorted(buffers, key=lambda buffer: buffer.failures)
        try:
            self._announce(buffers)
            failed = threading.Event()
            results = list(self._pool.map(lambda buffer: self._store_one(buffer, failed), buffers))
            self._advance([buffer for buffer, result in zip(buffers, results, strict=True) if result is None])
        except SourceError as error:
            return str(error)
        metrics.FLUSH_SECONDS.observe(time.monotonic() - begin)
        return next((result for result in results if result is not None), None)

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()

    def _announce(self, buffers: Sequence[Buffer]) -> None:
        new = [buffer for buffer in buffers if not buffer.journaled]
        if new:
            # Kept even if this fails: the commit may have reached Kafka, and then it must be this object.
            self._journal.commit({b.place: (b.position, Mark(b.epoch, b.choose()).text()) for b in new})
            for buffer in new:
                buffer.journaled = True

    def _store_one(self, buffer: Buffer, failed: threading.Event) -> str | None:
        if failed.is_set():
            return "another object could not be stored"  # nor could this one: do not wait for the same again
        name, records = buffer.choose(), buffer.content()
        try:
            # None are left when Kafka removed them all after they were named: before a crash, and then they are stored.
            if records:
                content = encode(name, records)
                if self._store.put(name, content):
                    metrics.OBJECTS.labels(name.topic).inc()
                    metrics.BYTES.labels(name.topic).inc(len(content))
                letters.report(buffer.place, records, self._send)
        except (StoreError, LetterError) as error:
            failed.set()
            buffer.failures += 1
            return str(error)
        return None

    def _advance(self, buffers: Sequence[Buffer]) -> None:
        if buffers:
            self._journal.commit({b.place: (b.choose().last + 1, Mark(b.epoch).text()) for b in buffers})
            for buffer in buffers:
                metrics.RECORDS.labels(buffer.place[0]).inc(buffer.stored())
            metrics.LAST_STORED.set(time.time())
