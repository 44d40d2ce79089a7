"""Freshness and volume: silence and floods are found, and a platform that is new is not accused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from applications.clinical.models import EventType
from applications.monitoring.checks.flow import flow, judged_volume, whole_hours
from applications.monitoring.findings import Status
from applications.monitoring.tables import Span
from applications.monitoring.thresholds import Limit, Thresholds, Volume, thresholds
from tests.unit.monitoring.monitoring_world import NOW, World

LIMITS = Volume(earlier_days=14, least_earlier=5, deviations=Limit(warning=5, failure=10), least_spread=0.1)
END = datetime(2026, 11, 25, 12, tzinfo=UTC)
SPAN = Span(END - timedelta(hours=4), END)


def hours(begin: datetime, end: datetime, rows: int) -> dict[int, int]:
    """The same number of rows in each hour."""
    return dict.fromkeys(range(int(begin.timestamp()) // 3600, int(end.timestamp()) // 3600), rows)


@pytest.mark.parametrize(("rows", "status"), [(100, Status.OK), (110, Status.OK), (160, Status.WARNING), (0, Status.WARNING),
                                              (250, Status.FAILURE)])
def test_volume_is_compared_with_the_same_hours_before(rows: int, status: Status) -> None:
    """A steady rate has no spread of its own, so a tenth of the median is taken for it."""
    hourly = hours(END - timedelta(days=15), SPAN.begin, 100) | hours(SPAN.begin, END, rows)
    assert judged_volume("t", hourly, SPAN, LIMITS).status is status


def test_nights_are_compared_with_nights() -> None:
    """A daily rhythm is no anomaly, and a night as busy as a day is one."""
    night, hourly = Span(END.replace(hour=0), END.replace(hour=4)), {}
    for day in range(15):
        begin = END.replace(hour=0) - timedelta(days=day)
        hourly |= hours(begin, begin + timedelta(hours=4), 10) | hours(begin + timedelta(hours=4), begin + timedelta(days=1), 1000)
    assert judged_volume("t", hourly, night, LIMITS).status is Status.OK
    assert judged_volume("t", hourly | hours(night.begin, night.end, 1000), night, LIMITS).status is Status.FAILURE


def test_a_new_platform_is_compared_with_the_hours_directly_before() -> None:
    """Two days of data give no five earlier days, but earlier windows enough."""
    check = judged_volume("t", hours(END - timedelta(days=2), END, 50), SPAN, LIMITS)
    assert check.status is Status.OK and "of 11 earlier times" in check.what


def test_too_little_to_compare_with_is_skipped() -> None:
    """And says how much there is; hours in which the platform did not run are no zeros."""
    check = judged_volume("t", hours(END - timedelta(hours=9), END, 50), SPAN, LIMITS)
    assert check.status is Status.SKIPPED and "only 1 earlier" in check.what


def test_only_whole_hours_are_counted() -> None:
    """A begun hour has fewer rows than it will have."""
    assert whole_hours(Span(END - timedelta(minutes=150), END + timedelta(minutes=15))) == Span(END - timedelta(hours=2), END)
    assert whole_hours(Span(END + timedelta(minutes=1), END + timedelta(minutes=59))) is None


def test_silence_is_a_failure(world: World) -> None:
    """Tables that are named must grow; the end of the time is what ages are counted to."""
    world.simulate().write()
    ages = {check.table: check for check in flow(world.tables, world.span, thresholds().quality) if check.name == "age-minutes"}
    # Which rows come last follows from the time of day: at some hours the newest vital signs are some minutes old.
    newest = max(row["received_time"] for row in world.rows[EventType.PATIENT_VITALS])
    minutes = (world.span.end - newest).total_seconds() / 60
    found = ages[f"silver/{EventType.PATIENT_VITALS}"]
    assert found.value == pytest.approx(minutes, abs=0.1)
    assert found.status is (Status.WARNING if minutes > thresholds().quality.age_minutes["patient-vitals"].warning else Status.OK)
    later = Span(NOW - timedelta(hours=1), NOW + timedelta(minutes=90))
    ages = {check.table: check for check in flow(world.tables, later, thresholds().quality) if check.name == "age-minutes"}
    assert ages[f"silver/{EventType.PATIENT_VITALS}"].status is Status.FAILURE


def test_a_platform_is_not_accused_of_the_time_before_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedule of a new one begins with an interval before its first table: an age is judged once the tables are as old as its
    limit. Tables that are old enough and have nothing in them since are a failure."""
    limits = thresholds().quality
    before = Span(NOW - timedelta(days=30, hours=4), NOW - timedelta(days=30))

    def statuses() -> set[Status]:
        return {check.status for check in flow(world.tables, before, limits) if check.name == "age-minutes"}
    assert statuses() == {Status.SKIPPED}
    world.simulate().write()
    assert statuses() == {Status.SKIPPED}
    longest = max(limit.failure for limit in limits.age_minutes.values())
    monkeypatch.setattr(type(world.tables), "began", lambda *_: before.end - timedelta(minutes=longest))
    assert statuses() == {Status.FAILURE}


def test_thresholds_are_whole_and_in_order() -> None:
    """The file is read as a whole: an unknown key, or a warning above its failure, is refused."""
    found = thresholds().model_dump(mode="json")
    found["drift"]["psi"] = {"warning": 0.3, "failure": 0.2}
    with pytest.raises(ValueError, match="`warning` must not be above `failure`"):
        Thresholds.model_validate(found)
    with pytest.raises(ValueError, match="Extra inputs"):
        Thresholds.model_validate({**thresholds().model_dump(mode="json"), "more": 1})
