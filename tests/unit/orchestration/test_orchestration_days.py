"""Which days an interval's records belong to, on real Delta tables in a folder."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from applications.monitoring.lake import LakeError
from applications.monitoring.tables import CLOCKS, Tables
from applications.orchestration.days import touched_days
from applications.orchestration.intervals import Interval

NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.date()
LAST_HOUR = Interval(NOW - timedelta(hours=1), NOW)


def write(folder: Path, *rows: tuple[date, datetime]) -> Tables:
    """Adds rows (day of the event, time of receipt) to a silver table, in one commit."""
    table = pa.table({"event_date": pa.array([row[0] for row in rows], pa.date32()),
                      "received_time": pa.array([row[1] for row in rows], pa.timestamp("us", "UTC"))})
    write_deltalake(folder / "silver" / "lab-results", table, mode="append", partition_by=["event_date"])
    return Tables.in_folder(folder)


def test_late_records_name_days_long_past(tmp_path: Path) -> None:
    """The days of the events, not that of their receipt; a day whose records came before or after the interval is not among
    them, nor is one whose record came at the first moment that is left out."""
    tables = write(tmp_path, (TODAY, LAST_HOUR.begin), (TODAY - timedelta(days=40), NOW - timedelta(minutes=3)),
                (TODAY - timedelta(days=1), LAST_HOUR.begin - timedelta(seconds=1)), (TODAY - timedelta(days=2), LAST_HOUR.end))
    assert touched_days(tables, LAST_HOUR) == {TODAY, TODAY - timedelta(days=40)}


def test_every_file_of_a_day_is_looked_at(tmp_path: Path) -> None:
    """The first file of the day has only older records, the second one has the late one."""
    tables = write(tmp_path, (TODAY, NOW - timedelta(hours=5)))
    write(tmp_path, (TODAY, NOW - timedelta(minutes=1)))
    assert touched_days(tables, LAST_HOUR) == {TODAY}


def test_files_from_before_the_interval_are_not_read(tmp_path: Path) -> None:
    """They cannot hold its records, whatever they say of themselves: this one is gone, and nobody misses it."""
    later = Interval(NOW + CLOCKS + timedelta(hours=1), NOW + CLOCKS + timedelta(hours=2))
    tables = write(tmp_path, (TODAY, later.begin))
    for file in tmp_path.rglob("*.parquet"):
        file.unlink()
    assert touched_days(tables, later) == set()


def test_a_table_that_is_not_there_yet_has_no_days(tmp_path: Path) -> None:
    """On a new platform some types have had no event."""
    assert touched_days(Tables.in_folder(tmp_path), LAST_HOUR) == set()


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """With where to look."""
    tables = write(tmp_path, (TODAY, LAST_HOUR.begin))
    for file in tmp_path.rglob("*.parquet"):
        file.write_bytes(b"no parquet")
    with pytest.raises(LakeError, match=r"silver/lab-results cannot be read.*infrastructure health"):
        touched_days(tables, LAST_HOUR)
