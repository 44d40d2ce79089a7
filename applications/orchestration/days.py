"""The days that the records of an interval belong to: late ones change days that are long past."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from applications.clinical.models import INGRESS
from applications.orchestration.intervals import Interval

if TYPE_CHECKING:
    from applications.monitoring.tables import Tables


def touched_days(tables: Tables, interval: Interval) -> set[date]:
    """The days (UTC, of event_time) of all silver rows whose records Kafka took in the interval. Raises LakeError."""
    from applications.monitoring.tables import Span, count
    span, days = Span(interval.begin, interval.end), set[date]()
    for kind in INGRESS:
        name = f"silver/{kind}"
        rows = tables.rows(name, span.within("received_time"), written_since=span.begin)
        if rows is not None:
            days |= {day for (day,) in count(f'SELECT DISTINCT event_date FROM "{name}"', **{name: rows})}
    return days
