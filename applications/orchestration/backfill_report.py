"""The report of a backfill of features: what was computed, and whether what is served equals what silver says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from applications.monitoring import reports
from applications.monitoring.findings import Status
from applications.monitoring.lake import LakeAccess

KIND = "feature-backfill"


@dataclass(frozen=True)
class Outcome:
    """A run and its days (`from`, and `to`, which is left out), and the result of each of its jobs; None for one that did not
    succeed."""

    run: str
    days: Mapping[str, str]
    jobs: Mapping[str, Mapping[str, Any] | None]

    @property
    def failed(self) -> list[str]:
        """The jobs that did not succeed, or were not reached."""
        return [name for name, result in self.jobs.items() if result is None]

    @property
    def status(self) -> Status:
        """`failure` when any job failed."""
        return Status.FAILURE if self.failed else Status.OK


def store(lake: LakeAccess, outcome: Outcome, made: datetime) -> str:
    """Stores page and document; gives the page's key in the bucket `gold`. Raises LakeError."""
    return reports.publish(lake, KIND, made, reports.render(page(outcome, made)), document(outcome))


def document(outcome: Outcome) -> dict[str, Any]:
    """The report as JSON: counts, and never a patient or a value."""
    parity = outcome.jobs.get("parity") or {}
    metrics = [reports.metric("feature_backfill_days", _count(outcome, "features", "days")),
               reports.metric("feature_backfill_rows", _count(outcome, "features", "rows"), table="features"),
               reports.metric("feature_backfill_rows", _count(outcome, "labels", "rows"), table="labels"),
               reports.metric("feature_parity_values_compared", float(parity.get("compared", 0))),
               reports.metric("feature_parity_succeeded", 0.0 if outcome.jobs.get("parity") is None else 1.0)]
    return {"status": outcome.status, "metrics": metrics, "run": outcome.run, "days": dict(outcome.days),
            "jobs": {name: None if result is None else dict(result) for name, result in outcome.jobs.items()}}


def page(outcome: Outcome, made: datetime) -> reports.Page:
    """The report for people."""
    lead = (f"{', '.join(outcome.failed)} did not succeed." if outcome.failed else
            "The days were computed again, and every value that is served equals what silver says.")
    parity = outcome.jobs.get("parity") or {}
    rows = [(table, int(_count(outcome, table, "days")), int(_count(outcome, table, "rows"))) for table in ("features", "labels")]
    jobs = [(name, Status.FAILURE if result is None else Status.OK) for name, result in outcome.jobs.items()]
    return reports.Page(
        title="Backfill of features", lead=lead, status=outcome.status, made=made,
        facts={"run": outcome.run, "from": outcome.days["from"], "up to, left out": outcome.days["to"],
               "patients compared": parity.get("patients"), "values compared": parity.get("compared")},
        sections=(
            reports.Section("Jobs", tables=(reports.Table(("job", "status"), jobs),)),
            reports.Section("Computed", "Days of each table that were replaced, and the rows that they have now.",
                            (reports.Table(("table", "days", "rows"), rows),))))


def _count(outcome: Outcome, table: str, name: str) -> float:
    result = outcome.jobs.get("backfill") or {}
    return float(result.get(table, {}).get(name, 0))
