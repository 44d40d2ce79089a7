"""When each DAG runs: defaults here, and what the platform's settings put in their place."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

VARIABLE = "ORCHESTRATION_SCHEDULES"
"""Names a JSON file: DAG id to cron expression, or to null for a DAG that is only started by hand."""
START = datetime(2026, 1, 1, tzinfo=UTC)
"""A fixed moment before every run. A start that moves with the clock would change when runs are due; no DAG catches up by itself
(`catchup=False`), so that a new platform begins with the latest interval and not with years of them."""

DEFAULTS: Mapping[str, str | None] = {
    "clinical_data_pipeline": "0 * * * *",
    "data_quality_monitoring": "15 */4 * * *",
    "model_monitoring": "30 */2 * * *",
    "scheduled_retraining": "0 3 * * 0",
    "backup": "0 2 * * *",
    "feature_backfill": None}


class ScheduleFault(Exception):
    """A file of schedules that cannot be used."""


def schedules(environment: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """The cron expression (UTC) of every DAG; None is by hand only. Raises ScheduleFault."""
    path = (os.environ if environment is None else environment).get(VARIABLE)
    return {**DEFAULTS, **(_read(Path(path)) if path else {})}


def timetable(dag_id: str) -> Any:
    """The timetable of a DAG: one run after each interval of its cron expression, in UTC; None for by hand only."""
    from airflow.sdk import CronDataIntervalTimetable
    cron = schedules()[dag_id]
    return None if cron is None else CronDataIntervalTimetable(cron, timezone="UTC")


def _read(path: Path) -> dict[str, str | None]:
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise ScheduleFault(f"{path}, which {VARIABLE} names, cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ScheduleFault(f"{path}, which {VARIABLE} names, is not JSON: {error}") from error
    if not isinstance(found, dict) or not all(value is None or isinstance(value, str) for value in found.values()):
        raise ScheduleFault(f"{path} must be one JSON object: DAG id to cron expression, or to null for by hand only")
    unknown = sorted(set(found) - set(DEFAULTS))
    if unknown:
        raise ScheduleFault(f"{path}: there is no DAG {', '.join(unknown)}; there are {', '.join(sorted(DEFAULTS))}")
    return found
