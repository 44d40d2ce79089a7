"""Up to where the pipeline has done everything: one small object in the lake, so that no interval is forgotten.

Airflow's own "previous successful run" would not do: a run by hand of other days counts there, too.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from applications.orchestration.intervals import Interval, advanced

if TYPE_CHECKING:
    from applications.monitoring.lake import LakeAccess

BUCKET, KEY = "gold", "pipeline/progress.json"


class ProgressFault(Exception):
    """The note cannot be understood, in words for whoever runs the platform."""


def done_until(lake: LakeAccess) -> datetime | None:
    """The moment before which all is done; None before the first planned run. Raises LakeError, ProgressFault."""
    found = lake.get_json(BUCKET, KEY)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(str(found["done_until"])).astimezone(UTC)
    except (KeyError, ValueError):
        raise ProgressFault(f"{BUCKET}/{KEY} does not say `done_until`: remove it, and the next planned run begins with its own "
                            "hour; start the hours before it by hand, with `from` and `to`") from None


def begin_at(lake: LakeAccess, moment: datetime) -> None:
    """Notes where the first planned run begins: should it fail, the next one takes its hour in."""
    lake.put(BUCKET, KEY, json.dumps({"done_until": moment.isoformat()}).encode())


def note(lake: LakeAccess, done: Interval) -> datetime | None:
    """Notes that an interval is done; gives up to where all is now. Runs come one after the other, so none is overwritten."""
    before = done_until(lake)
    after = advanced(before, done)
    if after is not None and after != before:
        begin_at(lake, after)
    return after
