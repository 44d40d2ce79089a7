"""The events that features are made of, as rows of whole microseconds; and how few of them are enough.

An event counts for a cut-off once it has happened and was recorded: `known` is the later of both times, `happened` the time
it did. Of a patient who is measured every few seconds most rows can be left out before anything is computed, without
changing any feature at any cut-off: that is what `Database.reduced` does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa

from applications.clinical.models import EventType
from applications.ml.features.registry import HORIZON, LEAST_GRADE, THINNED_TO, VITALS

MICROSECOND = timedelta(microseconds=1)
BUCKET = THINNED_TO // MICROSECOND
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def micros(moment: datetime) -> int:
    """A moment as whole microseconds since 1970 (UTC)."""
    return (moment - EPOCH) // MICROSECOND


def moment(value: int) -> datetime:
    """The moment (UTC) of so many microseconds since 1970."""
    return EPOCH + value * MICROSECOND


@dataclass(frozen=True)
class Source:
    """How the rows of one event type are read and reduced. `columns` are those of the silver table besides the envelope's;
    `fields` says how they become those of a row; `kept` selects the rows that are enough, from `rows` with `cut`.

    `touches` is the earliest moment whose features see a row, or whose label for adverse events.
    """

    columns: tuple[str, ...]
    fields: Mapping[str, str]
    kept: str
    touches: str = "known"

    @property
    def read(self) -> tuple[str, ...]:
        """The columns of the silver table that are read."""
        return ("patient_id", "event_id", "event_time", "recorded_time", *self.columns)

    @property
    def select(self) -> str:
        """From columns of the silver table to those of a row."""
        own = "".join(f", {how} AS {name}" for name, how in self.fields.items())
        return ("patient_id, event_id, epoch_us(event_time) AS happened, "
                f"greatest(epoch_us(event_time), epoch_us(recorded_time)) AS known{own}")

    @property
    def row(self) -> str:
        """The names of a row's columns."""
        return ", ".join(("patient_id", "event_id", "happened", "known", *self.fields))


def _best(group: str, fields: Sequence[str], *, first: bool = False) -> str:
    """One row a group: the latest by (happened, event_id); with `first` also the one that was known first."""
    row = f"struct_pack(event_id := event_id, happened := happened, known := known{''.join(f', {f} := {f}' for f in fields)})"
    chosen = [f"arg_max({row}, struct_pack(happened := happened, event_id := event_id))"]
    if first:
        chosen.append(f"arg_min({row}, struct_pack(known := known, happened := happened, event_id := event_id))")
    return (f"SELECT DISTINCT patient_id, unnest(found, recursive := true), {group} FROM (SELECT patient_id, {group}, "
            f"unnest([{', '.join(chosen)}]) AS found FROM rows GROUP BY patient_id, {group}, cut)")


def _vitals() -> Source:
    names = [vital.column for vital in VITALS]
    # Sets that lack the same vital signs stand for each other; one that lacks others does not.
    lacks = "concat(" + ", ".join(f"{name} IS NULL" for name in names) + ")"
    group = f"(happened + {BUCKET - 1}) // {BUCKET}"
    values = "".join(f", {name} := {name}" for name in names)
    row = f"struct_pack(happened := happened, event_id := event_id, known := known{values})"
    kept = (f"SELECT patient_id, unnest(found) FROM (SELECT patient_id, max({row}) AS found FROM rows "
            f"GROUP BY patient_id, {group}, {lacks}, cut)")
    return Source(tuple(names), {name: name for name in names}, kept)


_DAY_OF = "epoch_us(enrolment_date::TIMESTAMP)"
SOURCES: Mapping[EventType, Source] = {
    EventType.PATIENT_VITALS: _vitals(),
    EventType.LAB_RESULTS: Source(("analyte", "value"), {"item": "analyte", "value": "value"},
                                  _best("item", ["value"], first=True)),
    EventType.MEDICATIONS: Source(("drug", "high_risk"), {"drug": "drug", "high_risk": "coalesce(high_risk, false)"},
                                  _best("drug, high_risk", [])),
    EventType.DEMOGRAPHICS: Source(
        ("age", "sex", "trial_arm", "enrolment_date"),
        {"age": "age::DOUBLE", "sex": "sex", "trial_arm": "trial_arm", "enrolled": _DAY_OF},
        "SELECT patient_id, unnest(found) FROM (SELECT patient_id, arg_max(struct_pack(event_id := event_id, happened := happened, "
        "known := known, age := age, sex := sex, trial_arm := trial_arm, enrolled := enrolled), "
        "struct_pack(happened := happened, event_id := event_id)) AS found FROM rows GROUP BY patient_id, cut)"),
    # The latest of any grade says up to when others are known.
    EventType.ADVERSE_EVENTS: Source(
        ("start_time", "grade"), {"start": "epoch_us(start_time)", "grade": "grade"},
        f"SELECT DISTINCT * EXCLUDE (cut) FROM rows WHERE grade >= {LEAST_GRADE} OR happened = (SELECT max(happened) FROM rows)",
        touches=f"CASE WHEN grade >= {LEAST_GRADE} THEN start - {HORIZON // MICROSECOND} END"),
}
"""Every event type that features and labels are made of."""


@dataclass(frozen=True)
class Cuts:
    """Which cut-offs will be asked for: those of a grid (midnight and every `step` after it) from `settled` on, and any
    from `as_of` on."""

    step: timedelta
    as_of: datetime
    settled: datetime = EPOCH

    def first_from(self, begin: datetime) -> datetime:
        """The first cut-off of the grid that is not before a moment."""
        return moment(-(-micros(begin) // self._whole) * self._whole)

    def last_until(self, end: datetime) -> datetime:
        """The last cut-off of the grid that is not after a moment."""
        return moment(micros(end) // self._whole * self._whole)

    @property
    def _whole(self) -> int:
        return self.step // MICROSECOND


class Database:
    """A database in this process's memory, which goes to `folder` with what is larger. A context manager."""

    def __init__(self, memory_mb: int = 512, folder: Path | None = None) -> None:
        options = {"memory_limit": f"{memory_mb}MB", "temp_directory": str(folder or tempfile.gettempdir())}
        self._connection = duckdb.connect(":memory:", config={**options, "preserve_insertion_order": "false"})

    def __enter__(self) -> Database:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    def rows(self, kind: EventType, silver: pa.RecordBatchReader) -> pa.Table:
        """The rows of columns of a silver table."""
        return self._query(f"SELECT {SOURCES[kind].select} FROM silver", {"silver": silver})

    def reduced(self, kind: EventType, cuts: Cuts, rows: pa.Table | None, silver: pa.RecordBatchReader | None = None) -> pa.Table:
        """The rows that are enough, of rows and of what is read from a silver table; each event once."""
        source, parts, tables = SOURCES[kind], [], {}
        if rows is not None:
            tables["given"] = rows
            parts.append(f"SELECT {source.row} FROM given")
        if silver is not None:
            tables["silver"] = silver
            parts.append(f"SELECT {source.select} FROM silver")
        # What becomes known after `as_of` is no cut-off's yet that may come before the grid's next; it stays for itself.
        step, settled, as_of = cuts.step // MICROSECOND, micros(cuts.settled), micros(cuts.as_of)
        cut = f"CASE WHEN known > {as_of} THEN known ELSE greatest((known + {step - 1}) // {step} * {step}, {settled}) END"
        return self._query(f"WITH rows AS (SELECT *, {cut} AS cut FROM ({' UNION ALL '.join(parts)})), kept AS ({source.kept}) "
                           f"SELECT {source.row} FROM kept", tables)

    def touched(self, kind: EventType, before: pa.Table, after: pa.Table) -> datetime | None:
        """The earliest moment that sees one of the rows which are not in both tables; None when there is none."""
        names = SOURCES[kind].row
        found = self._query(
            f"SELECT min({SOURCES[kind].touches}) AS moment FROM ((SELECT {names} FROM before EXCEPT SELECT {names} FROM after) "
            f"UNION ALL (SELECT {names} FROM after EXCEPT SELECT {names} FROM before))", {"before": before, "after": after})
        first = found["moment"][0].as_py()
        return None if first is None else moment(first)

    def _query(self, text: str, tables: Mapping[str, pa.Table | pa.RecordBatchReader]) -> pa.Table:
        for name, table in tables.items():
            self._connection.register(name, table)
        try:
            return self._connection.sql(text).to_arrow_table()
        finally:
            for name in tables:
                self._connection.unregister(name)
