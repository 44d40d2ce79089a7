"""The moment that a monitoring run is of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from applications.orchestration.intervals import plain


def moment_of(context: Any) -> datetime:
    """The end of the data interval of a planned run, so that one that comes late judges the time that it is of; of a run by hand
    when it was started. UTC."""
    run, end = context["dag_run"], context.get("data_interval_end")
    found: datetime = run.run_after if end is None or run.run_type == "manual" else end
    return plain(found)
