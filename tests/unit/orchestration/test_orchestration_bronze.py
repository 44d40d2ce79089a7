"""Whether bronze is complete and has anything, by offsets and by names of objects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from applications.orchestration import bronze
from applications.orchestration.bronze import Partition, anything, folders, lacking
from applications.orchestration.intervals import Interval
from tests.unit.orchestration.lake_fake import FakeLake

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(("first", "wanted", "committed", "missing"), [
    (0, 10, 10, 0), (0, 10, 12, 0), (0, 10, 9, 1), (0, 10, None, 10), (0, 0, None, 0),
    (7, 10, None, 3), (7, 10, 2, 3), (10, 10, None, 0)],
    ids=["reached", "ahead", "behind", "never committed", "nothing ever", "retention took the first", "retention overtook",
         "retention took all"])
def test_what_a_partition_lacks(first: int, wanted: int, committed: int | None, missing: int) -> None:
    """Records before the moment that are not committed, and that Kafka still has: for others nobody can wait."""
    assert Partition("patient-vitals", 0, first, wanted, committed).missing == missing


def test_bronze_is_complete_when_every_partition_is() -> None:
    """One partition that is behind is enough to wait, and its topic is named."""
    done, behind = Partition("lab-results", 0, 0, 5, 5), Partition("lab-results", 1, 0, 5, 3)
    assert lacking([done]) == {}
    assert lacking([done, behind, Partition("medications", 0, 0, 4, None)]) == {"lab-results": 2, "medications": 4}
    assert bronze.describe({"lab-results": 2}) == "2 records of lab-results"


def test_an_object_within_the_hours_counts() -> None:
    """And one of another hour or topic does not."""
    lake = FakeLake()
    hour = Interval(NOON, NOON + timedelta(hours=1))
    lake.put("bronze", "patient-vitals/date=2026-11-25/hour=13/0-1-2-aa.parquet", b"")
    lake.put("bronze", "model-predictions/date=2026-11-25/hour=12/0-1-2-aa.parquet", b"")
    assert not anything(lake, hour)
    lake.put("bronze", "dead-letter/date=2026-11-25/hour=12/0-1-2-aa.parquet", b"")
    assert anything(lake, hour)


def test_the_folders_of_an_interval() -> None:
    """Every hour that it touches, over midnight; the hour of its end only when it reaches into it."""
    begin = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
    assert list(folders(Interval(begin, begin + timedelta(hours=1, minutes=30)))) == [
        "date=2026-11-24/hour=22", "date=2026-11-24/hour=23"]
    assert list(folders(Interval(begin, begin + timedelta(hours=2)))) == [
        "date=2026-11-24/hour=22", "date=2026-11-24/hour=23", "date=2026-11-25/hour=00"]
