"""Results of checks, kept: the Delta table gold/monitoring/<kind>, a row a check and run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from applications.monitoring.findings import Check, Report, Status
from applications.monitoring.tables import MOMENT, Tables, reading

SCHEMA = pa.schema([
    ("run_id", pa.string()), ("run_time", MOMENT), ("part_of_run", pa.string()), ("begin", MOMENT), ("end", MOMENT),
    ("theme", pa.string()), ("name", pa.string()), ("table", pa.string()), ("part", pa.string()), ("status", pa.string()),
    ("value", pa.float64()), ("limit", pa.float64()), ("what", pa.string())])
"""`part_of_run` is the task that recorded the row; `part` is the column, feature, reason or version that a check is of."""
MOST_FILES = 100
RETENTION_HOURS = 168
"""A reader that began less than a week ago still finds the files that it saw."""
TRIES = 8
T = TypeVar("T")


def place(kind: str) -> str:
    """The table of a kind of monitoring."""
    return f"gold/monitoring/{kind}"


def record(tables: Tables, kind: str, run_id: str, part_of_run: str, run_time: datetime, report: Report) -> None:
    """Puts a report's checks in the place of those that the same part of the same run recorded before. Raises LakeError."""
    rows = pa.Table.from_pylist([
        {"run_id": run_id, "run_time": run_time.astimezone(UTC), "part_of_run": part_of_run, "begin": report.begin,
         "end": report.end, **check.as_dict()} for check in report.checks], SCHEMA)
    options, uri = dict(tables.options), tables.uri(place(kind))

    def write() -> None:
        DeltaTable.create(uri, SCHEMA, mode="ignore", storage_options=options)
        write_deltalake(uri, rows, mode="overwrite", storage_options=options,
                        predicate=f"run_id = '{_quoted(run_id)}' AND part_of_run = '{_quoted(part_of_run)}'")

    with reading(place(kind)):
        _again(write)


def recorded(tables: Tables, kind: str, run_id: str) -> Report | None:
    """What the parts of a run recorded, in the order of parts; None where there is nothing. Raises LakeError."""
    dataset = tables.rows(place(kind), pc.field("run_id") == run_id)
    if dataset is None:
        return None
    with reading(place(kind)):
        rows = dataset.to_table().sort_by([("part_of_run", "ascending")]).to_pylist()
    if not rows:
        return None
    checks = tuple(Check(row["name"], row["table"], Status(row["status"]), row["value"], row["limit"], row["what"], row["theme"],
                         row["part"]) for row in rows)
    return Report(checks, min(row["begin"] for row in rows).astimezone(UTC), max(row["end"] for row in rows).astimezone(UTC))


def tidy(tables: Tables, kind: str) -> None:
    """Joins the table's files once they are many, and removes those that have been out of it for a week. Raises LakeError."""
    table = tables.table(place(kind))
    if table is None or len(table.file_uris()) <= MOST_FILES:
        return
    with reading(place(kind)):
        table.optimize.compact()
        table.vacuum(RETENTION_HOURS, dry_run=False)


def themes(checks: Iterable[Check]) -> dict[str, list[Check]]:
    """Checks by theme, in their order."""
    found: dict[str, list[Check]] = {}
    for check in checks:
        found.setdefault(check.theme, []).append(check)
    return found


def _again(write: Callable[[], T]) -> T:
    """Two parts of a run may write at once; the one that comes second does it anew."""
    for _ in range(TRIES - 1):
        try:
            return write()
        except CommitFailedError:
            continue
    return write()


def _quoted(text: str) -> str:
    return text.replace("'", "''")
