"""Which stretch of time a run is of: nothing is left out, nothing is of a local time, and what cannot be is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest

from applications.orchestration import intervals, progress
from applications.orchestration.intervals import HOUR, LONGEST_CATCH_UP, Interval, IntervalFault, of_run
from tests.unit.orchestration.lake_fake import FakeLake

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
BERLIN = timezone(timedelta(hours=2))


def planned(end: datetime) -> tuple[datetime, datetime]:
    """The data interval of an hourly run."""
    return end - HOUR, end


def run(lake: FakeLake, end: datetime, *, succeeds: bool = True) -> Interval:
    """A planned run as the DAG does it: its interval, and the note that it is done."""
    done_until = progress.done_until(lake)
    found = of_run({}, planned(end), done_until, end)
    if done_until is None:
        progress.begin_at(lake, found.begin)
    if succeeds:
        progress.note(lake, found)
    return found


def adjoining(found: list[Interval]) -> bool:
    """Whether each interval begins where the one before ends."""
    return all(later.begin == earlier.end for earlier, later in pairwise(found))


def test_runs_on_time_are_adjoining_hours() -> None:
    """Each takes its own hour, and no moment is in two or in none."""
    lake = FakeLake()
    found = [run(lake, NOON + hour * HOUR) for hour in range(3)]
    assert [one.end - one.begin for one in found] == [HOUR] * 3 and adjoining(found)


def test_three_missed_intervals_are_made_up_for() -> None:
    """A platform that stood still for three hours: the next run takes them in, and the records are those of runs on time."""
    lake = FakeLake()
    first = run(lake, NOON)
    after = run(lake, NOON + 4 * HOUR)
    assert after == Interval(NOON, NOON + 4 * HOUR) and adjoining([first, after])


def test_three_intervals_of_a_backfill_are_disjoint_and_adjoining() -> None:
    """A backfill takes exactly what it was asked for, whatever was done before."""
    found = [of_run({}, planned(NOON + hour * HOUR), None, NOON + 9 * HOUR) for hour in range(3)]
    assert found == [Interval(NOON + (hour - 1) * HOUR, NOON + hour * HOUR) for hour in range(3)] and adjoining(found)


def test_the_hours_of_failed_runs_are_taken_in() -> None:
    """Also when it was the very first run of the platform that failed."""
    lake = FakeLake()
    first = run(lake, NOON, succeeds=False)
    run(lake, NOON + HOUR, succeeds=False)
    assert run(lake, NOON + 2 * HOUR) == Interval(first.begin, NOON + 2 * HOUR)


def test_catching_up_has_a_bound() -> None:
    """After a month without a run the next one takes a week, not a month."""
    found = of_run({}, planned(NOON), NOON - timedelta(days=31), NOON)
    assert found == Interval(NOON - LONGEST_CATCH_UP, NOON)


def test_a_run_of_other_days_moves_no_progress() -> None:
    """By hand, for a range before or one with a gap: what is missing in between stays missing. One that adjoins does move it."""
    lake = FakeLake()
    run(lake, NOON)
    for begin, end in ((NOON - 9 * HOUR, NOON - 5 * HOUR), (NOON + 2 * HOUR, NOON + 3 * HOUR)):
        assert progress.note(lake, Interval(begin, end)) == NOON
    assert progress.note(lake, Interval(NOON - HOUR, NOON + 2 * HOUR)) == NOON + 2 * HOUR
    assert progress.done_until(lake) == NOON + 2 * HOUR


def test_a_run_by_hand_notes_nothing_before_the_first_planned_one() -> None:
    """Else the first planned run would take in the time between both."""
    lake = FakeLake()
    assert progress.note(lake, Interval(NOON - HOUR, NOON)) is None and not lake.kept


def test_a_damaged_note_says_what_to_do() -> None:
    """It is not taken for the beginning of time."""
    lake = FakeLake()
    lake.put(progress.BUCKET, progress.KEY, b'{"done_until": "soon"}')
    with pytest.raises(progress.ProgressFault, match="remove it"):
        progress.done_until(lake)


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_a_day_has_24_hours_when_the_clocks_change(day: date) -> None:
    """Where people change their clocks, UTC does not: 24 adjoining hours, from midnight to midnight, and one day of the lake."""
    lake, midnight = FakeLake(), datetime(day.year, day.month, day.day, tzinfo=UTC)
    found = [run(lake, midnight + (hour + 1) * HOUR) for hour in range(24)]
    assert found[0].begin == midnight and found[-1].end == midnight + timedelta(days=1) and adjoining(found)
    assert {one.begin.date() for one in found} == {day}


def test_moments_of_another_offset_are_the_same_moments() -> None:
    """A person may write local time with its offset, on the day on which the clocks change, too."""
    found = of_run({"from": "2026-10-25T02:30:00+02:00", "to": "2026-10-25T02:30:00+01:00"}, None, None, NOON)
    assert (found.begin, found.end) == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert found.as_parameters() == {"from": "2026-10-25T00:30:00+00:00", "to": "2026-10-25T01:30:00+00:00"}
    assert Interval.from_parameters(found.as_parameters()) == found


def test_a_run_by_hand_is_of_the_hour_before_it() -> None:
    """Without parameters; and whatever the zone of the caller is."""
    assert of_run({"from": None, "to": None}, None, NOON - 9 * HOUR, NOON.astimezone(BERLIN)) == Interval(NOON - HOUR, NOON)


def test_what_has_not_happened_yet_is_left_out() -> None:
    """A range that ends in the future ends when the run was started: it would never be complete."""
    found = of_run({"from": "2026-11-25T00:00:00Z", "to": "2026-11-26T00:00:00Z"}, None, None, NOON)
    assert found.end == NOON


@pytest.mark.parametrize(("params", "words"), [
    ({"from": "2026-11-25T00:00:00Z"}, "give both"),
    ({"to": "2026-11-25T00:00:00Z"}, "give both"),
    ({"from": "2026-11-25T02:00:00Z", "to": "2026-11-25T02:00:00Z"}, "must be after"),
    ({"from": "2026-11-25T02:00:00", "to": "2026-11-25T03:00:00Z"}, "`from` has no offset"),
    ({"from": "2026-11-25T02:00:00Z", "to": "tomorrow"}, "`to` must be a moment"),
    ({"from": "2026-11-26T02:00:00Z", "to": "2026-11-26T03:00:00Z"}, "in the future"),
    ({"from": "2020-11-26T02:00:00Z", "to": "2026-11-25T03:00:00Z"}, "400 days")])
def test_what_cannot_be_is_refused(params: dict[str, Any], words: str) -> None:
    """In words that say which parameter it is."""
    with pytest.raises(IntervalFault, match=words):
        of_run(params, None, None, NOON)


def test_days_become_few_ranges() -> None:
    """Adjoining days are one range; a day after today is left out, since the jobs would refuse it."""
    days = [date(2026, 11, day) for day in (25, 24, 10, 11, 3, 26)]
    assert intervals.day_ranges(days, date(2026, 11, 25)) == [
        {"from": "2026-11-03", "to": "2026-11-03"}, {"from": "2026-11-10", "to": "2026-11-11"},
        {"from": "2026-11-24", "to": "2026-11-25"}]
    assert intervals.day_ranges([], date(2026, 11, 25)) == []


def test_the_last_day_is_in_a_range_of_features_too() -> None:
    """Gold includes `to`, the backfill of features leaves it out: the same days for both."""
    assert intervals.to_excluded({"from": "2026-11-24", "to": "2026-12-31"}) == {"from": "2026-11-24", "to": "2027-01-01"}


@pytest.mark.parametrize(("begin", "end", "words"), [
    ("2026-11-25", "2026-11-25", "must be after"), ("2026-11-25", "2026-11-27", "in the future"),
    ("2025-01-01", "2026-11-25", "400 days"), ("2026-11-31", "2026-12-01", "must be days")])
def test_days_of_a_backfill_that_cannot_be(begin: str, end: str, words: str) -> None:
    """Refused before any job is submitted."""
    with pytest.raises(IntervalFault, match=words):
        intervals.backfill_days(begin, end, date(2026, 11, 25))


def test_days_of_a_backfill_may_take_today_in() -> None:
    """`to` is left out, so tomorrow is the latest."""
    assert intervals.backfill_days("2026-11-20", "2026-11-26", date(2026, 11, 25)) == {"from": "2026-11-20", "to": "2026-11-26"}
