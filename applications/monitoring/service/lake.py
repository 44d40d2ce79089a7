"""The lake's tables by what their logs say (nothing is scanned), and what was refused in the last hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from applications.clinical.models import INGRESS, EventType
from applications.monitoring.service.measuring import Found, Sample
from applications.monitoring.tables import Tables, count, moment, reading
from applications.monitoring.thresholds import thresholds

QUARANTINE = "quarantine/events"
TABLES: Sequence[str] = (*(f"silver/{kind}" for kind in INGRESS), QUARANTINE, "gold/patient-day", "gold/features/patient",
                         "gold/labels/adverse-event-24h")
NEWEST = ("received_time", "event_timestamp")
"""The columns, in this order, that say how new a row is; a table without either is as new as its newest file."""
HOUR = timedelta(hours=1)
MOST_REASONS = 30


class LakeTables:
    """Measures the tables. They are kept open, so that only what their logs gained is read each time."""

    def __init__(self, tables: Tables, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._tables, self._now = tables, now
        self._open: dict[str, DeltaTable] = {}

    def measure(self) -> Found:
        """Rows and age of each table that there is, and the refused records by reason. Raises LakeError."""
        samples: list[Sample] = []
        facts = []
        for name in TABLES:
            table = self._opened(name)
            if table is None:
                continue
            rows, newest = _of_log(table)
            samples.append(Sample("lake_table_rows", rows, (name,)))
            if newest is not None:
                samples.append(Sample("lake_table_newest_timestamp_seconds", newest, (name,)))
            facts.append({"name": name, "rows": rows, "newest": newest, **_limits(name)})
        refused = self._refused()
        samples += [Sample("quarantine_records", number, (reason,)) for reason, number in refused]
        samples.append(Sample("quarantine_records_last_hour", sum(number for _, number in refused)))
        quarantine = [{"reason": reason, "records": number} for reason, number in refused]
        return Found(tuple(samples), {"tables": facts, "quarantine": quarantine})

    def _opened(self, name: str) -> DeltaTable | None:
        # Taken out first: a table that cannot be brought up to date (it was made anew) is opened from scratch the next time.
        table = self._open.pop(name, None)
        if table is None:
            table = self._tables.table(name)
        else:
            with reading(name):
                table.update_incremental()
        if table is not None:
            self._open[name] = table
        return table

    def _refused(self) -> list[tuple[str, int]]:
        since = self._now() - HOUR
        lately = (pc.field("received_time") >= moment(since)) & (pc.field("date") >= pa.scalar(since.date()))
        rows = self._tables.rows(QUARANTINE, lately, written_since=since)
        if rows is None:
            return []
        sql = f"SELECT reason, count(*) FROM rows GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_REASONS}"
        return [(str(reason), int(number)) for reason, number in count(sql, rows=rows)]


def _of_log(table: DeltaTable) -> tuple[int, float | None]:
    """Rows, and the newest moment in seconds since 1970, by the statistics of the table's files."""
    with reading("a table's log"):
        actions = pa.table(table.get_add_actions(flatten=True))
    if not actions.num_rows:
        return 0, None
    rows = pc.sum(actions["num_records"]).as_py() if "num_records" in actions.schema.names else 0
    newest = next((_seconds(pc.max(actions[f"max.{column}"]).as_py()) for column in NEWEST
                   if f"max.{column}" in actions.schema.names), None)
    return int(rows or 0), newest if newest is not None else pc.max(actions["modification_time"]).as_py() / 1000


def _seconds(found: Any) -> float | None:
    if isinstance(found, str):
        found = datetime.fromisoformat(found.replace("Z", "+00:00"))
    if not isinstance(found, datetime):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _limits(name: str) -> dict[str, float]:
    """How old a table may be, where that is said."""
    kind = name.removeprefix("silver/")
    limit = thresholds().quality.age_minutes.get(kind) if kind in set(EventType) else None
    return {} if limit is None else {"warning": 60 * limit.warning, "failure": 60 * limit.failure}
