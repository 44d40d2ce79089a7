"""Kafka records, and whether they can be read at all."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from applications.clinical.reasons import Reason, ReasonCode

Place = tuple[str, int]
"""A topic's name and a partition's number."""
OVERHEAD = 300
"""Bytes that a record costs us besides its content."""
HOUR_MS = 3_600_000
LAST_HOUR = 253_402_300_799_999 // HOUR_MS
"""The last hour of the year 9999: a sender may write any timestamp, and a folder's name ends there."""


class Record(NamedTuple):
    """A record as it came. `timestamp` is in milliseconds, `arrived` is this process's monotonic clock in seconds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    arrived: float

    @property
    def hour(self) -> int:
        """The hour of its timestamp, counted from 1970 in UTC."""
        return min(max(self.timestamp // HOUR_MS, 0), LAST_HOUR)

    @property
    def size(self) -> int:
        """What it takes of our memory, in bytes."""
        headers = sum(len(name) + len(value or b"") for name, value in self.headers)
        return OVERHEAD + len(self.key or b"") + len(self.value or b"") + headers


def fault(value: bytes | None) -> Reason | None:
    """Why a record cannot be read as a JSON object in UTF-8; None if it can."""
    if value is None:
        return Reason(ReasonCode.NO_VALUE, "", "the record has no value")
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return Reason(ReasonCode.NOT_JSON, "", "not JSON in UTF-8")
    return None if isinstance(found, dict) else Reason(ReasonCode.NOT_AN_OBJECT, "", "an event is a JSON object")
