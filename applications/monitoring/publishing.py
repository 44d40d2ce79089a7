"""The reports of both kinds of monitoring, published."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from applications.monitoring import results
from applications.monitoring.evaluation import evaluated
from applications.monitoring.findings import Report
from applications.monitoring.lake import LakeAccess
from applications.monitoring.model import reason, retraining_run
from applications.monitoring.pages import lead, metrics, page
from applications.monitoring.reports import metric, publish, render
from applications.monitoring.tables import Tables
from applications.monitoring.thresholds import thresholds

QUALITY_TEXTS = {
    "schema": "The columns of the silver tables and their types against the data contract.",
    "completeness": "The share of rows without a value. Columns that no limit is given for must have none.",
    "consistency": "Rows that break a rule of the data contract; one is a failure.",
    "lineage": "Records of bronze that are neither in silver nor in quarantine. The newest minutes are left out.",
    "freshness": "How long before the end the newest row of a table was received.",
    "volume": "Rows of the whole hours against the same hours of earlier days, in robust standard deviations.",
    "quarantine": "The share of refused records, of all and by their first reason."}
MODEL_TEXTS = {
    "drift": "Features of the newest cut-offs against those of the champion's training window: population stability index (PSI), "
             "Kolmogorov-Smirnov distance (KS), and the change of the share of missing values.",
    "predictions": "What was predicted, by version of the model, against earlier days of the same version.",
    "performance": "Predictions that were served, against what came in the 24 hours after them.",
    "evaluation": "The champion on the newest labelled days of patients that it has not learned from."}


def publish_quality(lake: LakeAccess, kind: str, moment: datetime, report: Report) -> str:
    """Publishes the report of a run; the page's key. Raises LakeError."""
    made = page("Data quality", report, moment, QUALITY_TEXTS)
    return publish(lake, kind, moment, render(made), {"status": str(report.status), "lead": lead(report),
                                                      "metrics": metrics("data_quality", report)})


def publish_model(lake: LakeAccess, tables: Tables, kind: str, run_id: str, moment: datetime, champion: Mapping[str, str],
                  evaluation: Mapping[str, Any]) -> dict[str, Any] | None:
    """Publishes what the parts of a run recorded together with what the job `evaluate` found, which is recorded, too. Gives the
    page's key, counts, `reason` (why a training is needed, or empty) and `retraining_run`; None where nothing was recorded.
    Raises LakeError.
    """
    before = results.recorded(tables, kind, run_id)
    if before is None:
        return None
    found = tuple(evaluated(evaluation, thresholds().performance))
    results.record(tables, kind, run_id, "evaluation", moment, Report(found, before.begin, before.end))
    # A repeated task finds its own part recorded already.
    report = Report((*(check for check in before.checks if check.theme != "evaluation"), *found), before.begin, before.end)
    why = reason(report)
    made = page("Model monitoring", report, moment, MODEL_TEXTS,
                {"Champion": f"version {champion['version']}", "Training needed": bool(why)})
    key = publish(lake, kind, moment, render(made), {
        "status": str(report.status), "lead": lead(report), "reason": why,
        "metrics": [metric("model_retraining_needed", int(bool(why))), metric("model_champion_version", float(champion["version"])),
                    *metrics("model", report)]})
    return {"page": key, **report.counts(), "reason": why, "retraining_run": retraining_run(moment)}
