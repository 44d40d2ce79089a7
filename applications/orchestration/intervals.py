"""Which stretch of time a run is of. All in UTC, half open: from `begin` up to, and not including, `end`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONGEST = timedelta(days=400)
"""As the jobs have it."""
LONGEST_CATCH_UP = timedelta(days=7)
"""How far back a scheduled run reaches by itself for what earlier runs have not done; more is for a person to start."""
MOMENT_PATTERN = (r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?"
                  r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$")
"""What a moment of a parameter looks like: RFC 3339 with its offset."""


class IntervalFault(Exception):
    """A stretch of time that cannot be, in words for whoever asked for it."""


@dataclass(frozen=True)
class Interval:
    """From `begin` up to, and not including, `end`; both aware, in UTC."""

    begin: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.end <= self.begin:
            raise IntervalFault(f"`to` ({self.end.isoformat()}) must be after `from` ({self.begin.isoformat()}): it is the first "
                                "moment that is left out")
        if self.end - self.begin > LONGEST:
            raise IntervalFault(f"`to` is more than {LONGEST.days} days after `from`: start several runs, one after the other")

    def as_parameters(self) -> dict[str, str]:
        """As jobs and XComs have it."""
        return {"from": self.begin.isoformat(), "to": self.end.isoformat()}

    @classmethod
    def from_parameters(cls, found: Mapping[str, str]) -> Interval:
        """The interval that `as_parameters` gave."""
        return cls(moment(found["from"], "from"), moment(found["to"], "to"))


def moment(text: str, name: str) -> datetime:
    """An RFC 3339 moment in UTC. One without an offset is refused: it would be another moment elsewhere."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise IntervalFault(f"`{name}` must be a moment with its offset, such as 2026-11-25T13:00:00Z") from None
    if found.tzinfo is None:
        raise IntervalFault(f"`{name}` has no offset: write 2026-11-25T13:00:00Z, or +01:00 in place of Z")
    return found.astimezone(UTC)


def plain(moment: datetime) -> datetime:
    """A moment as the standard library has it, in UTC. Airflow's are pendulum's, which lose their zone in a difference once they
    were brought to the standard library's UTC."""
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def of_run(params: Mapping[str, Any], planned: tuple[datetime, datetime] | None, done_until: datetime | None,
           run_after: datetime) -> Interval:
    """The interval of a run of the pipeline.

    Given `from` and `to`: these. A run by hand without them (`planned` is None): the hour before it was started. A planned run:
    its data interval, and before it whatever no run has done yet (`done_until` is up to where all is done), at most
    LONGEST_CATCH_UP: missed and failed intervals are made up for by the next run.
    """
    begin, end = params.get("from"), params.get("to")
    if (begin is None) != (end is None):
        raise IntervalFault("give both `from` and `to`, or none of them")
    if begin is not None and end is not None:
        found = Interval(moment(begin, "from"), moment(end, "to"))
        if found.begin >= run_after:
            raise IntervalFault(f"`from` ({found.begin.isoformat()}) is in the future: nothing was received then")
        return Interval(found.begin, min(found.end, plain(run_after)))
    if planned is None:
        until = plain(run_after)
        return Interval(until - HOUR, until)
    first, last = (plain(one) for one in planned)
    if done_until is not None:
        first = max(min(first, plain(done_until)), last - LONGEST_CATCH_UP)
    return Interval(first, last)


def advanced(done_until: datetime | None, done: Interval) -> datetime | None:
    """Up to where all is done once an interval is, too. One that leaves a gap, or lies before, changes nothing."""
    if done_until is None or not done.begin <= done_until < done.end:
        return done_until
    return done.end


def day_ranges(days: Iterable[date], today: date) -> list[dict[str, str]]:
    """Days as few ranges of adjoining ones, first and last day included, in their order.

    A day after today is left out, since the jobs refuse it: an event may be stamped some minutes ahead, and its day is looked at
    again with the records of that day.
    """
    ranges: list[tuple[date, date]] = []
    for day in sorted({day for day in days if day <= today}):
        if ranges and day - ranges[-1][1] == DAY:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return [{"from": first.isoformat(), "to": last.isoformat()} for first, last in ranges]


def to_excluded(found: Mapping[str, str]) -> dict[str, str]:
    """A range of days whose last day is included, as the jobs of feature-engineering have it: `to` is left out."""
    return {"from": found["from"], "to": (date.fromisoformat(found["to"]) + DAY).isoformat()}


def backfill_days(begin: str, end: str, today: date) -> dict[str, str]:
    """The checked days of a backfill of features: `from` up to, and not including, `to`."""
    try:
        first, last = date.fromisoformat(begin), date.fromisoformat(end)
    except ValueError:
        raise IntervalFault("`from` and `to` must be days, such as 2026-11-25") from None
    if last <= first:
        raise IntervalFault(f"`to` ({last}) must be after `from` ({first}): it is the first day that is left out")
    if last - first > LONGEST:
        raise IntervalFault(f"`to` is more than {LONGEST.days} days after `from`: start several runs, one after the other")
    if last > today + DAY:
        raise IntervalFault(f"`to` ({last}) is in the future: tomorrow ({today + DAY}) is the latest, and takes today in")
    return {"from": first.isoformat(), "to": last.isoformat()}
