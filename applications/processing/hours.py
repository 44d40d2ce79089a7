"""Hours of event times, by which a merge leaves out files that cannot hold its events."""

from __future__ import annotations

from datetime import datetime, timedelta

HOUR = timedelta(hours=1)
MOST_RANGES = 24
"""Ranges of hours in a merge's condition; beyond it they are one range, which reads more and stays right."""


def ranges(hours: list[datetime]) -> list[tuple[datetime, datetime]]:
    """Half-open ranges of time that cover the given hours, neighbours joined."""
    found: list[tuple[datetime, datetime]] = []
    for hour in sorted(hours):
        if found and hour <= found[-1][1]:
            found[-1] = (found[-1][0], hour + HOUR)
        else:
            found.append((hour, hour + HOUR))
    return found if len(found) <= MOST_RANGES else [(found[0][0], found[-1][1])]
