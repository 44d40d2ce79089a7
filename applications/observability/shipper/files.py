"""Docker's log files: lines of JSON that Docker rotates, read on from where reading stopped, whatever happened meanwhile."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import orjson

from applications.observability.shipper.lines import Entry, Origin

CHUNK = 512 * 1024
"""Bytes of one container that are read at a time, so that none holds the others up."""
SPLIT = 16_384
"""Docker cuts longer lines into pieces of this size, of which only the last has a newline."""
MOST_OF_LINE = 8 * SPLIT
LABELS = ("clinical.stack", "clinical.layer", "clinical.service")


@dataclass(frozen=True)
class Position:
    """What of a container is read: all files before `file`, and that up to `offset`. A file is known by its first line, which
    says when it began to the nanosecond; its name and number change as Docker rotates."""

    file: str
    offset: int


@dataclass(frozen=True)
class Read:
    """What was found, where reading goes on, and whether files went before they were read."""

    entries: list[Entry]
    position: Position | None
    more: bool
    gap: bool = False


@dataclass
class _File:
    source: IO[bytes]
    key: str
    inode: int
    size: int


class ContainerLog:
    """The log of one container, of this stack or of another one."""

    def __init__(self, folder: Path, stack: str, position: Position | None = None) -> None:
        self.folder, self.position = folder, position
        self._stack, self._foreign = stack, False
        self._origin: Origin | None = None
        self._held: IO[bytes] | None = None
        self._seen: tuple[int, int] | None = None

    def read(self) -> Read:
        """The next lines; none of a container that is not of this stack. They come again until `position` is set."""
        nothing = Read([], self.position, False)
        current = self._current()
        try:
            seen = current.stat()
        except FileNotFoundError:
            seen = None
        if self._foreign or (seen is not None and self._seen == (seen.st_ino, seen.st_size)):
            return nothing
        with ExitStack() as stack:
            files = self._opened(current, stack)
            found = self._read(files) if files else nothing
            if not found.more:
                self._seen = (files[-1].inode, files[-1].size) if files else None
            if self._foreign:
                self.close()
            return found

    def close(self) -> None:
        """Lets go of the file."""
        if self._held:
            self._held.close()
            self._held = None

    def _current(self) -> Path:
        return self.folder / f"{self.folder.name}-json.log"

    def _opened(self, current: Path, stack: ExitStack) -> list[_File]:
        """The files, the oldest first. They are opened from the newest on: when Docker rotates meanwhile one comes twice, and none
        is missed. The newest stays open, so that the last lines of a container are read even when it is removed."""
        found: dict[int, _File] = {}
        for number in range(1000):
            try:
                source = (current if number == 0 else current.with_name(f"{current.name}.{number}")).open("rb")
            except FileNotFoundError:
                break
            if number == 0:
                self.close()
                self._held = source
            else:
                stack.enter_context(source)
            self._add(found, source)
        if not found and self._held:
            self._add(found, self._held)
        return list(reversed(found.values()))

    def _add(self, found: dict[int, _File], source: IO[bytes]) -> None:
        source.seek(0)
        first = source.readline()
        status = os.fstat(source.fileno())
        if first.endswith(b"\n"):
            found.setdefault(status.st_ino, _File(source, hashlib.blake2b(first, digest_size=12).hexdigest(), status.st_ino,
                                                  status.st_size))
            self._origin = self._origin or self._origin_of(first)

    def _origin_of(self, line: bytes) -> Origin | None:
        """Whose log this is; marks it as foreign without the labels of this stack."""
        try:
            labels = orjson.loads(line).get("attrs", {})
        except orjson.JSONDecodeError:
            return None
        if not all(label in labels for label in LABELS) or labels[LABELS[0]] != self._stack:
            self._foreign = True
            return None
        return Origin(container=self.folder.name, stack=labels[LABELS[0]], layer=labels[LABELS[1]], service=labels[LABELS[2]])

    def _read(self, files: list[_File]) -> Read:
        if self._origin is None:
            return Read([], self.position, False)
        keys = [file.key for file in files]
        known = self.position is not None and self.position.file in keys
        at = keys.index(self.position.file) if self.position and known else 0
        offset = self.position.offset if self.position and known else 0
        entries: list[Entry] = []
        for number, file in enumerate(files[at:], at):
            newest = number == len(files) - 1
            file.source.seek(offset)
            chunk = file.source.read(CHUNK)
            ended = len(chunk) < CHUNK
            found, used = split(chunk, self._origin, file.key, offset, final=ended and not newest)
            entries += found
            offset += used
            if not ended or newest:
                return Read(entries, Position(file.key, offset), not ended, self.position is not None and not known)
            offset = 0
        raise AssertionError("there is a newest file")


def split(chunk: bytes, origin: Origin, file: str, offset: int, *, final: bool) -> tuple[list[Entry], int]:
    """The lines in a piece of a file that begins at `offset`, and how many of its bytes are done with. A line that Docker cut is
    put together again, and waited for while pieces are missing (what was printed meanwhile comes again then), unless the file is
    `final`, that is, complete."""
    entries: list[Entry] = []
    pending: dict[str, Entry] = {}
    begins: dict[str, int] = {}
    used, time = 0, ""
    for start, line in _lines(chunk):
        used = start + len(line)
        told = _told(line)
        stream, text, time = told.get("stream", ""), told.get("log", ""), told.get("time") or time
        begun = pending.pop(stream, None)
        begin = begins.pop(stream, start)
        entry = replace(begun, text=begun.text + text) if begun else Entry(
            origin=origin, place=f"{file}:{offset + begin}", time=time, stream=stream, text=text)
        if not text.endswith("\n") and len(text.encode(errors="replace")) >= SPLIT and len(entry.text) < MOST_OF_LINE:
            pending[stream], begins[stream] = entry, begin
        else:
            entries.append(entry)
    waits = min(begins.values(), default=used)
    if not final and used - waits < CHUNK // 2:
        return entries, waits
    return [*entries, *pending.values()], used


def _lines(chunk: bytes) -> Iterator[tuple[int, bytes]]:
    """The complete lines of a chunk and where they begin."""
    start = 0
    while (end := chunk.find(b"\n", start)) >= 0:
        yield start, chunk[start:end + 1]
        start = end + 1


def _told(line: bytes) -> Mapping[str, str]:
    """What Docker wrote; a line that a crash tore is a text of its own."""
    try:
        found = orjson.loads(line)
        if isinstance(found, dict):
            return found
    except orjson.JSONDecodeError:
        pass
    return {"log": line.decode(errors="replace")}
