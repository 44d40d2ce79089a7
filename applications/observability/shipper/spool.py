"""The queue on disk between reading and sending: what is in it survives a kill, and an OpenSearch that is away."""

from __future__ import annotations

import os
import threading
from pathlib import Path

SUFFIX = ".ndjson"


def write_durably(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all, and on the disk when this returns."""
    half = path.with_suffix(".half")
    with half.open("wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    half.replace(path)


class Spool:
    """Batches in the order in which they came, one a file. One thread puts, another one takes."""

    def __init__(self, folder: Path, limit: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._limit = folder, limit
        self._sizes = {path: path.stat().st_size for path in sorted(folder.glob(f"*{SUFFIX}"))}
        self._next = 1 + max((int(path.stem) for path in self._sizes), default=0)
        self._changed = threading.Condition()

    @property
    def size(self) -> int:
        """Bytes that wait."""
        with self._changed:
            return sum(self._sizes.values())

    @property
    def full(self) -> bool:
        """Whether nothing more should be put: reading pauses then, and Docker's own files hold what comes."""
        return self.size >= self._limit

    def put(self, batch: bytes) -> None:
        """Adds a batch; it is safe when this returns."""
        path = self._folder / f"{self._next:012d}{SUFFIX}"
        write_durably(path, batch)
        with self._changed:
            self._next += 1
            self._sizes[path] = len(batch)
            self._changed.notify_all()

    def first(self, seconds: float) -> Path | None:
        """The oldest batch, waited for so long."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._sizes), seconds)
            return next(iter(self._sizes), None)

    def remove(self, path: Path) -> None:
        """Forgets a batch that was taken."""
        path.unlink()
        with self._changed:
            del self._sizes[path]
