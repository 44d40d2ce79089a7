"""Flow: is anything coming, is it as much as at the same hours before, and how much of it is refused."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import pyarrow.compute as pc

from applications.clinical.models import INGRESS, EventType
from applications.clinical.reasons import ReasonCode
from applications.monitoring.checks.silver import NOTHING, QUARANTINE, name_of
from applications.monitoring.findings import Check, Status, above
from applications.monitoring.tables import HOUR, Span, Tables, count, moment
from applications.monitoring.thresholds import Quality, Volume

TO_SIGMA = 1.4826
"""Of a normal distribution, the standard deviation is so many times the median absolute deviation."""
_HOURLY = "SELECT epoch(received_time)::BIGINT // 3600, count(*) FROM rows GROUP BY 1"
_LATEST = "SELECT epoch(max(received_time)) FROM rows"


def flow(tables: Tables, span: Span, limits: Quality) -> Iterator[Check]:
    """Freshness and volume of each table, and the share of refused records, by reason."""
    yield from freshness(tables, span, limits)
    yield from volume(tables, span, limits.volume)
    yield from quarantine(tables, span, limits)


def freshness(tables: Tables, span: Span, limits: Quality) -> Iterator[Check]:
    """How old the newest row of a table was at the end of the span, in minutes. A platform that has not stored anything for so long
    yet is too young to be judged: its schedule begins with a time before its own."""
    began = tables.began(map(name_of, INGRESS))
    for kind, limit in limits.age_minutes.items():
        name = name_of(EventType(kind))
        rows = tables.rows(name, pc.field("received_time") < moment(span.end),
                           written_since=span.end - timedelta(minutes=2 * limit.failure))
        latest = None if rows is None else count(_LATEST, rows=rows)[0][0]
        if latest is None and (began is None or began > span.end - timedelta(minutes=limit.failure)):
            yield Check("age-minutes", name, Status.SKIPPED, None, limit.failure, "the platform is younger than this limit",
                        "freshness")
            continue
        if latest is None:
            yield Check("age-minutes", name, Status.FAILURE, None, limit.failure,
                        f"nothing was stored for {2 * limit.failure:g} minutes: see whether the senders and spark-streaming run",
                        "freshness")
            continue
        minutes = max(0.0, (span.end.timestamp() - latest) / 60)
        yield Check("age-minutes", name, above(minutes, limit.warning, limit.failure), round(minutes, 1), limit.failure,
                    f"the newest row was received {minutes:.0f} minutes before the end", "freshness")


def volume(tables: Tables, span: Span, limits: Volume) -> Iterator[Check]:
    """The number of rows received in the whole hours of the span against earlier ones, in robust standard deviations."""
    whole = whole_hours(span)
    for name in (*map(name_of, INGRESS), QUARANTINE):
        if whole is None:
            yield Check("volume-deviation", name, Status.SKIPPED, None, limits.deviations.failure,
                        "there is no whole hour in this time", "volume")
            continue
        rows = tables.rows(name, (pc.field("received_time") < moment(whole.end))
                           & (pc.field("received_time") >= moment(whole.begin - timedelta(days=limits.earlier_days))))
        hourly = {} if rows is None else {hour: found for hour, found in count(_HOURLY, rows=rows)}
        yield judged_volume(name, hourly, whole, limits)


def whole_hours(span: Span) -> Span | None:
    """The whole hours within the span; None where there is none."""
    begin = span.begin.replace(minute=0, second=0, microsecond=0)
    begin, end = begin if begin == span.begin else begin + HOUR, span.end.replace(minute=0, second=0, microsecond=0)
    return Span(begin, end) if begin < end else None


def judged_volume(name: str, hourly: Mapping[int, int], span: Span, limits: Volume) -> Check:
    """`hourly` are numbers of rows by hour (since 1970). Earlier times in which the platform did not run all the time are left
    out; so is, on a new platform, the hour in which the history came."""
    def total(of: Span) -> int | None:
        counts = [hourly.get(_hour(hour), 0) for hour in of.hours()]
        return sum(counts) if all(counts) else None

    length = span.end - span.begin
    for step in (timedelta(days=1), length):
        totals = [total(span.shifted(-step * index)) for index in range(1, limits.earlier_days + 1)]
        earlier = [found for found in totals if found is not None]
        if len(earlier) >= limits.least_earlier:
            break
    now = sum(hourly.get(_hour(hour), 0) for hour in span.hours())
    if len(earlier) < limits.least_earlier:
        return Check("volume-deviation", name, Status.SKIPPED, None, limits.deviations.failure,
                     f"{now} rows; only {len(earlier)} earlier times to compare with, {limits.least_earlier} are needed", "volume")
    middle = statistics.median(earlier)
    spread = max(TO_SIGMA * statistics.median(abs(found - middle) for found in earlier), limits.least_spread * middle)
    away = abs(now - middle) / spread
    return Check("volume-deviation", name, above(away, limits.deviations.warning, limits.deviations.failure), round(away, 2),
                 limits.deviations.failure, f"{now} rows, {middle:g} in the median of {len(earlier)} earlier times", "volume")


def quarantine(tables: Tables, span: Span, limits: Quality) -> Iterator[Check]:
    """The share of refused records, of all and by their first reason."""
    rows = tables.rows(QUARANTINE, span.within("received_time"), written_since=span.begin)
    reasons = {} if rows is None else dict(count("SELECT reason, count(*) FROM rows GROUP BY reason", rows=rows))
    refused, taken = sum(reasons.values()), 0
    for kind in INGRESS:
        accepted = tables.rows(name_of(kind), span.within("received_time"), written_since=span.begin)
        taken += 0 if accepted is None else count("SELECT count(*) FROM rows", rows=accepted)[0][0]
    limit = limits.quarantine_share
    if not refused + taken:
        yield Check("quarantine-share", QUARANTINE, Status.SKIPPED, None, limit.failure, NOTHING, "quarantine")
        return
    share = refused / (refused + taken)
    yield Check("quarantine-share", QUARANTINE, above(share, limit.warning, limit.failure), round(share, 6), limit.failure,
                f"{refused} of {refused + taken} records were refused", "quarantine")
    known = set(map(str, ReasonCode))
    for reason, number in sorted(reasons.items()):
        part = number / (refused + taken)
        status = above(part, limit.warning, limit.failure) if reason in known else Status.WARNING
        yield Check("quarantine-share", QUARANTINE, status, round(part, 6), limit.failure,
                    f"{number} records{'' if reason in known else '; nobody declared this reason'}", "quarantine", reason)


def _hour(of: datetime) -> int:
    return int(of.timestamp()) // 3600
