"""Monitoring of the model: the checks by theme, and when they call for a training."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from applications.monitoring.champion import Champion
from applications.monitoring.drift import drift
from applications.monitoring.findings import Report, Status
from applications.monitoring.lake import LakeAccess
from applications.monitoring.predictions import distribution, performance
from applications.monitoring.tables import Span, Tables
from applications.monitoring.thresholds import thresholds

CALLING = ("drift", "performance", "evaluation")
"""Themes whose failures call for a training. A change of the predictions alone may be one of who asks."""
LONGEST_REASON = 500


def check(lake: LakeAccess, theme: str, champion: Mapping[str, str], now: datetime) -> Report:
    """The checks of one theme: `drift`, `predictions` or `performance`. `champion` is as an XCom has it (version, run_id,
    features_version, begin, end). Raises LakeError.
    """
    tables, limits = Tables.on_store(lake), thresholds()
    if theme == "drift":
        trained_on = Span(datetime.fromisoformat(champion["begin"]), datetime.fromisoformat(champion["end"]))
        return drift(tables, Champion(champion["version"], champion["run_id"], champion["features_version"], trained_on), now,
                     limits.drift)
    if theme == "predictions":
        return distribution(tables, now, limits.predictions)
    return performance(tables, champion["version"], now, limits.performance)


def reason(report: Report) -> str:
    """Why a training is needed; empty when it is not."""
    calling = [str(found) for found in report.checks if found.theme in CALLING and found.status is Status.FAILURE]
    return "; ".join(calling)[:LONGEST_REASON]


def retraining_run(moment: datetime) -> str:
    """The id of the run of a training that is started now: the same for all moments of one stretch of the cool-down time."""
    length = timedelta(hours=thresholds().retraining.cool_down_hours)
    begin = datetime.fromtimestamp(moment.timestamp() // length.total_seconds() * length.total_seconds(), moment.tzinfo)
    return f"monitoring__{begin:%Y-%m-%dT%H}"
