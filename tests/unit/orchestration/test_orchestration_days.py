"""Which days an interval's records belong to, on real Delta tables in a folder."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from applications.orchestration import days
from applications.orchestration.intervals import Interval

NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.date()
LAST_HOUR = Interval(NOW - timedelta(hours=1), NOW)


def write(path: Path, *rows: tuple[date, datetime]) -> str:
    """Adds rows (day of the event, time of receipt) to a table, in one commit."""
    table = pa.table({"event_date": pa.array([row[0] for row in rows], pa.date32()),
                      "received_time": pa.array([row[1] for row in rows], pa.timestamp("us", "UTC"))})
    write_deltalake(path, table, mode="append", partition_by=["event_date"])
    return str(path)


def test_late_records_name_days_long_past(tmp_path: Path) -> None:
    """The days of the events, not that of their receipt; a day whose records came before or after the interval is not among
    them, nor is one whose record came at the first moment that is left out."""
    uri = write(tmp_path / "t", (TODAY, LAST_HOUR.begin), (TODAY - timedelta(days=40), NOW - timedelta(minutes=3)),
                (TODAY - timedelta(days=1), LAST_HOUR.begin - timedelta(seconds=1)), (TODAY - timedelta(days=2), LAST_HOUR.end))
    assert days.of_table(uri, {}, LAST_HOUR) == {TODAY, TODAY - timedelta(days=40)}


def test_every_file_of_a_day_is_looked_at(tmp_path: Path) -> None:
    """The first file of the day has only older records, the second one has the late one."""
    uri = write(tmp_path / "t", (TODAY, NOW - timedelta(hours=5)))
    write(tmp_path / "t", (TODAY, NOW - timedelta(minutes=1)))
    assert days.of_table(uri, {}, LAST_HOUR) == {TODAY}


def test_files_from_before_the_interval_are_not_read(tmp_path: Path) -> None:
    """They cannot hold its records, whatever they say of themselves: this one is gone, and nobody misses it."""
    later = Interval(NOW + days.CLOCKS + timedelta(hours=1), NOW + days.CLOCKS + timedelta(hours=2))
    uri = write(tmp_path / "t", (TODAY, later.begin))
    for file in (tmp_path / "t").rglob("*.parquet"):
        file.unlink()
    assert days.of_table(uri, {}, later) == set()


def test_a_table_that_is_not_there_yet_has_no_days(tmp_path: Path) -> None:
    """On a new platform some types have had no event."""
    assert days.of_table(str(tmp_path / "none"), {}, LAST_HOUR) == set()


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """With where to look."""
    uri = write(tmp_path / "t", (TODAY, LAST_HOUR.begin))
    for file in (tmp_path / "t").rglob("*.parquet"):
        file.write_bytes(b"no parquet")
    with pytest.raises(days.SilverFault, match=r"cannot be read .*infrastructure health"):
        days.of_table(uri, {}, LAST_HOUR)
