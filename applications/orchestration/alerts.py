"""Alerts: a task that failed for good leaves one open alert in the lake until a run as new or newer succeeds in it.

Both functions are callbacks of Airflow and never raise: an alert that cannot be written must not change what the task was.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from applications.orchestration import connections

BUCKET = "gold"
FOLDER = "alerts"
LONGEST_ERROR = 500
_PATIENT = re.compile(r"\bPT[0-9A-Z]{8}\b")
_log = logging.getLogger(__name__)


def key(dag: str, task: str) -> str:
    """Where the alert of a task stands in the bucket `gold`."""
    return f"{FOLDER}/{dag}/{task}.json"


def opened(context: Mapping[str, Any]) -> None:
    """Writes the alert of a task that failed and is not tried again, and says so in the log."""
    try:
        found = alert(context, datetime.now(UTC))
        _log.error(json.dumps({"event": "pipeline-alert", **found}))
        connections.lake().put(BUCKET, key(found["dag"], found["task"]), json.dumps(found).encode())
    except Exception as error:
        _log.exception("the alert could not be written to the lake: %s", first_line(error))


def closed(context: Mapping[str, Any]) -> None:
    """Removes the alert of a task that succeeded now."""
    try:
        instance = context["task_instance"]
        place, lake = key(instance.dag_id, instance.task_id), connections.lake()
        before = lake.get_json(BUCKET, place)
        if before is not None and settles(context, before):
            lake.remove(BUCKET, place)
            _log.info(json.dumps({"event": "pipeline-alert-closed", "dag": instance.dag_id, "task": instance.task_id,
                                  "run": instance.run_id}))
    except Exception as error:
        _log.exception("the alert could not be looked up or removed in the lake: %s", first_line(error))


def alert(context: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The alert as JSON holds it: what failed, when, the first line of why, where to look, and what to do."""
    instance = context["task_instance"]
    return {"dag": instance.dag_id, "task": instance.task_id, "run": instance.run_id, "map_index": instance.map_index,
            "try": instance.try_number, "time": now.isoformat(timespec="seconds"), "run_after": _run_after(context).isoformat(),
            "error": first_line(context.get("exception")), "log_url": str(getattr(instance, "log_url", "")),
            "what_to_do": "read the task's log behind `log_url`, mend what it names, and clear the task; the alert closes itself "
                          "once the task succeeds in this run or a newer one"}


def settles(context: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether a success settles an alert: that of an older run says nothing of a newer failure, and of the parts of a mapped task
    only the one that failed settles it within the same run."""
    instance = context["task_instance"]
    if before.get("run") == instance.run_id:
        return bool(before.get("map_index") == instance.map_index)
    try:
        since = datetime.fromisoformat(str(before.get("run_after")))
        return _run_after(context) >= since
    except (ValueError, TypeError):  # nobody can say what it is of
        return True


def first_line(error: object) -> str:
    """The first line of an error, without ids of patients, and bounded."""
    lines = str(error or "").strip().splitlines()
    words = lines[0] if lines else ("the process of the task ended without an error of its own: it was killed, or its machine "
                                    "was, or it took too long" if error is None else type(error).__name__)
    return _PATIENT.sub("PT…", words)[:LONGEST_ERROR]


def _run_after(context: Mapping[str, Any]) -> datetime:
    found: datetime = context["dag_run"].run_after
    return found
