"""All logs of the stack's containers: what is new in them goes to the spool, and how far reading came to a file."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import orjson

from applications.observability.shipper import metrics
from applications.observability.shipper.files import ContainerLog, Position
from applications.observability.shipper.lines import Entry
from applications.observability.shipper.sending import batch
from applications.observability.shipper.spool import Spool, write_durably
from applications.runtime.logs import log

FLUSH_LINES = 2_000


class Reader:
    """Reads the logs below `containers`. What a kill leaves half done is read again, and has the same ids then."""

    def __init__(self, containers: Path, state: Path, stack: str, spool: Spool) -> None:
        self._containers, self._state, self._stack, self._spool = containers, state, stack, spool
        known = orjson.loads(state.read_bytes()) if state.exists() else {}
        self._known = {name: Position(**place) for name, place in known.items()}
        self._saved = dict(self._known)
        self._logs: dict[str, ContainerLog] = {}
        self.last_step = time.monotonic()

    def step(self) -> bool:
        """Reads what is new, a piece of each log; returns whether there is more already. Does nothing while the spool is full."""
        self.last_step = time.monotonic()
        metrics.WAITING.set(self._spool.size)
        if self._spool.full:
            return False
        names = {path.name for path in self._containers.iterdir() if path.is_dir()}
        for name in sorted(names - self._logs.keys()):
            self._logs[name] = ContainerLog(self._containers / name, self._stack, self._known.pop(name, None))
        # What is known of a container that went while nobody read is of no use any more.
        self._known.clear()
        more, entries = False, list[Entry]()
        for name, source in list(self._logs.items()):
            found = source.read()
            more |= found.more
            entries += found.entries
            source.position = found.position
            if found.gap:
                metrics.GAPS.inc()
                log.warning("log-files-missed", container=name[:12])
            if name not in names and not found.more:
                source.close()
                del self._logs[name]
            if len(entries) >= FLUSH_LINES:
                self._flush(entries)
                entries = []
        self._flush(entries)
        metrics.CONTAINERS.set(sum(source.position is not None for source in self._logs.values()))
        return more

    def _flush(self, entries: list[Entry]) -> None:
        """Lines first, positions after them: a kill in between makes lines come again, and loses none."""
        if entries:
            self._spool.put(batch(entries))
        positions = {name: source.position for name, source in self._logs.items() if source.position is not None}
        if positions != self._saved:
            write_durably(self._state, orjson.dumps({name: asdict(position) for name, position in positions.items()}))
            self._saved = positions
