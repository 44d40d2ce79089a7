"""What all tasks and DAGs have in common, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from applications.orchestration import alerts
from applications.orchestration.schedules import START, timetable

OWNER = "clinical-mlops"
SPARK_POOL, TRAINING_POOL, LAKE_POOL = "spark_batch", "training", "lake"
"""Pools that airflow-init makes. Deferred tasks count in them, so a pool bounds jobs and not only processes."""

TASK_DEFAULTS: Mapping[str, Any] = {
    "owner": OWNER,
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(minutes=30),
    "on_failure_callback": alerts.opened,
    "on_success_callback": alerts.closed}
"""The `default_args` of every DAG; a task that needs something else says so itself."""


def dag_arguments(dag_id: str, tags: tuple[str, ...], **more: Any) -> dict[str, Any]:
    """The arguments of a DAG: `@dag(**dag_arguments("backup", tags=("operations",), params=…, doc_md=__doc__))`. `more` adds to
    or replaces what all DAGs have in common: one run at a time, no catching up, the schedule of `schedules.py`."""
    return {"dag_id": dag_id, "schedule": timetable(dag_id), "start_date": START, "catchup": False, "max_active_runs": 1,
            "default_args": dict(TASK_DEFAULTS), "tags": list(tags), **more}
