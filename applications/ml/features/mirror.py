"""What was read of the silver tables, kept on the service's own volume: one file a table and day, of the rows that are enough.

Each refresh reads only files that came since the last one, and tells which cut-offs see something new: events that were
recorded just now touch none of the past, so in the rhythm of every day almost nothing is computed twice. Silver tables only
grow; a day whose files were replaced (by a compaction) is read anew, and counts as changed only if its rows are others.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from applications.clinical.models import EventType
from applications.ml.features.lake import Lake, LakeError, brief
from applications.ml.features.rows import SOURCES, Cuts, Database
from applications.ml.features.silver import Silver, find, nothing, read
from applications.runtime.logs import log

_FILES, _TABLE = b"files", b"table"


@dataclass(frozen=True)
class Change:
    """Rows of a table's day are others than before; `since` is the earliest moment whose features (for adverse events: whose
    label) see one of them."""

    kind: EventType
    day: date
    since: datetime


class Days:
    """Files of rows in a folder, one a table and day, each there as a whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, kind: EventType) -> list[date]:
        """The days of which there is a file."""
        return sorted(date.fromisoformat(path.stem) for path in (self._folder / kind).glob("*.parquet"))

    def load(self, kind: EventType, day: date) -> pa.Table:
        """The rows of a day; none when there is no file."""
        path = self._path(kind, day)
        return pq.read_table(path) if path.exists() else nothing(kind)

    def notes(self, kind: EventType, day: date) -> Mapping[bytes, bytes]:
        """What was noted with the rows of a day."""
        path = self._path(kind, day)
        return dict(pq.read_schema(path).metadata or {}) if path.exists() else {}

    def save(self, kind: EventType, day: date, rows: pa.Table, notes: Mapping[bytes, bytes]) -> None:
        """Puts rows in the place of those of their day."""
        path = self._path(kind, day)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        pq.write_table(rows.replace_schema_metadata(notes), beside, compression="zstd")
        os.replace(beside, path)

    def remove(self, kind: EventType, day: date) -> None:
        """Removes a day."""
        self._path(kind, day).unlink(missing_ok=True)

    def _path(self, kind: EventType, day: date) -> Path:
        return self._folder / kind / f"{day}.parquet"


class Mirror:
    """The rows of all tables by day. `cuts` says which cut-offs will be asked for, and how late it is."""

    def __init__(self, folder: Path, lake: Lake, database: Database, cuts: Cuts) -> None:
        self._days, self._lake, self._database, self._cuts = Days(folder / "silver"), lake, database, cuts

    def refresh(self, note: Callable[[Change], None]) -> dict[EventType, Silver]:
        """Reads what is new. `note` is told of each changed day before it is kept, so that a crash in between repeats it.
        Returns the tables as they were read. Raises LakeError.
        """
        found = {kind: find(self._lake, kind) for kind in SOURCES}
        for silver in found.values():
            self._refresh(silver, note)
        return found

    def day(self, kind: EventType, day: date) -> pa.Table:
        """The rows of a day; none when there are none."""
        return self._days.load(kind, day)

    def days(self, kind: EventType) -> list[date]:
        """The days of which there are rows."""
        return self._days.of(kind)

    def any(self, kinds: Sequence[EventType], days: Sequence[date]) -> bool:
        """Whether any of the days has a row of any of the tables."""
        return any(len(self.day(kind, day)) for kind in kinds for day in days)

    def forget(self, first: date, last: date) -> None:
        """Forgets which files were read of some days: the next refresh reads all of them again."""
        for kind in SOURCES:
            for day in self._days.of(kind):
                if first <= day <= last:
                    self._days.save(kind, day, self.day(kind, day), {_FILES: b"[]", _TABLE: b""})

    def _refresh(self, silver: Silver, note: Callable[[Change], None]) -> None:
        kind = silver.kind
        for day in sorted({*silver.files, *self._days.of(kind)}):
            files, notes = set(silver.files.get(day, ())), self._days.notes(kind, day)
            seen, table = set(json.loads(notes.get(_FILES, b"[]"))), notes.get(_TABLE, b"").decode()
            if files == seen:
                continue
            grown = seen <= files and table == silver.table
            before = self.day(kind, day)
            after = self._rows(kind, day, before if grown else None, sorted(files - seen if grown else files))
            since = self._database.touched(kind, before, after)
            if since is not None:
                note(Change(kind, day, since))
            self._days.save(kind, day, after, {_FILES: json.dumps(sorted(files)).encode(), _TABLE: silver.table.encode()})
            log.debug("silver-read", table=kind, day=day.isoformat(), files=len(files - seen), rows=len(after))

    def _rows(self, kind: EventType, day: date, before: pa.Table | None, new: list[str]) -> pa.Table:
        if not new:
            return nothing(kind) if before is None else before
        try:
            return self._database.reduced(kind, self._cuts, before, read(self._lake, kind, new))
        except (OSError, pa.ArrowException, duckdb.Error) as error:
            raise LakeError(f"{len(new)} files of silver/{kind} of {day} cannot be read: {brief(error)}. Is the object store up? "
                            "A file that was vacuumed while it was read is not missed by the next run") from error


class History:
    """Of tables whose rows count for ever (results, demographics): the rows before a day that still matter from that day on.

    Kept for the latest days, so that a refresh does not begin with the first of all.
    """

    KEPT_DAYS = 7

    def __init__(self, folder: Path, mirror: Mirror, database: Database, cuts: Cuts) -> None:
        self._days, self._mirror, self._database, self._cuts = Days(folder / "before"), mirror, database, cuts

    def before(self, kind: EventType, day: date) -> pa.Table:
        """The rows of all earlier days that cut-offs of `day` and later may need."""
        begin = max((found for found in self._days.of(kind) if found <= day), default=date.min)
        rows = self._days.load(kind, begin)
        if begin == day:
            return rows
        passed = [found for found in self._mirror.days(kind) if begin <= found < day]
        for each, following in zip(passed, [*passed, day][1:], strict=True):
            cuts = replace(self._cuts, settled=datetime.combine(following, time(), UTC))
            rows = self._database.reduced(kind, cuts, pa.concat_tables([rows, self._mirror.day(kind, each)]))
        self._days.save(kind, day, rows, {})
        for old in self._days.of(kind)[:-self.KEPT_DAYS]:
            self._days.remove(kind, old)
        return rows

    def forget_after(self, kind: EventType, day: date) -> None:
        """Forgets what follows from rows of `day`, which have changed."""
        for found in self._days.of(kind):
            if found > day:
                self._days.remove(kind, found)
