"""The journal of what was accepted: one JSON line an event_id that a broker or the gateway confirmed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import orjson

from applications.clinical.simulation.faults import Message


@dataclass(frozen=True)
class Entry:
    """One confirmed message: its event_id (known out of band even where the bytes hide it), topic, and what was done to it.

    `kind` is empty for a clean message, else a FaultKind; `detail` says which of the kind; `status` is the gateway's HTTP
    status or acknowledgement code, empty for Kafka.
    """

    event_id: str
    topic: str
    kind: str = ""
    detail: str = ""
    status: str = ""


class Journal:
    """Appends entries to a file; a path of None keeps nothing. Lines are whole: a reader may look at any time."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._file = path.open("ab") if path else None

    def confirmed(self, message: Message, status: str = "") -> None:
        """Writes that a message was taken."""
        if self._file is not None:
            line = orjson.dumps(Entry(message.event_id, message.topic, message.kind or "", message.detail, status))
            with self._lock:
                self._file.write(line + b"\n")

    def flush(self) -> None:
        """Makes all entries visible to readers of the file."""
        if self._file is not None:
            with self._lock:
                self._file.flush()

    def close(self) -> None:
        """Flushes and closes."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()


def read_journal(path: Path) -> list[Entry]:
    """All entries of a journal, in the order of their confirmation. A line cut off by a kill at the end is left out."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return [Entry(**orjson.loads(line)) for line in lines]
