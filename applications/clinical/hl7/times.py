"""Times of HL7 v2: `YYYYMMDDHHMM[SS[.SSSS]][+/-ZZZZ]`. Only an offset makes one unambiguous."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_TIME = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?(?:([+-])(\d\d)(\d\d))?", re.ASCII)
FARTHEST = timedelta(hours=14)


class WrongTime(ValueError):
    """A time that cannot be used; the text says what it needs."""


def moment(text: str, zone: tzinfo | None) -> datetime:
    """The time in `text`; `zone` holds where it has none of its own. Raises WrongTime."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise WrongTime("must be a time like 20260301143000+0100")
    if found[5] is None:
        raise WrongTime("needs hours and minutes")
    zone = zone_of(text) or zone
    if zone is None:
        raise WrongTime("needs an offset from UTC, here or in MSH-7")
    # Seconds may be left out, and so may their fraction.
    year, month, day, hour, minute, second = (int(found[part] or 0) for part in range(1, 7))
    try:
        return datetime(year, month, day, hour, minute, second, int((found[7] or "").ljust(6, "0")), zone)
    except ValueError:
        raise WrongTime("is no day or time of the calendar") from None


def zone_of(text: str) -> tzinfo | None:
    """The offset in a time; None where it has none. Raises WrongTime for one that no place on earth has."""
    found = _TIME.fullmatch(text)
    if found is None or found[8] is None:
        return None
    offset = timedelta(hours=int(found[9]), minutes=int(found[10]))
    if offset > FARTHEST or int(found[10]) > 59:
        raise WrongTime("has an offset from UTC that no place has")
    return timezone(-offset if found[8] == "-" else offset) if offset else UTC


def rendered(time: datetime) -> str:
    """A time as HL7 writes it, with its offset, to a tenth of a millisecond."""
    return f"{time:%Y%m%d%H%M%S}.{time.microsecond // 100:04d}{time:%z}"[:24]
