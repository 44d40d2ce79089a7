"""What the job `evaluate` of ml-training found, as checks: the champion on patients that it has not learned from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from applications.monitoring.findings import Check, Status, above
from applications.monitoring.thresholds import Performance

TABLE = "gold/labels/adverse-event-24h"
THEME = "evaluation"


def evaluated(result: Mapping[str, Any], limits: Performance) -> Iterator[Check]:
    """The checks of the job's result (`version`, `metrics` and `refused` gates)."""
    version, figures = str(result["version"]), result["metrics"]
    area, error = figures.get("auroc"), figures.get("ece")
    least, most = limits.least_auroc, limits.calibration_error
    positives = min(figures.get("positives", 0), figures.get("rows", 0) - figures.get("positives", 0))
    if area is None or error is None or positives < limits.least_positives:
        yield Check("auroc", TABLE, Status.SKIPPED, None, least.failure,
                    f"{positives:g} rows of the rarer label; {limits.least_positives} are needed", THEME, version)
        return
    yield Check("auroc", TABLE, above(-area, -least.warning, -least.failure), round(area, 4), least.failure,
                "area under the ROC curve", THEME, version)
    yield Check("calibration-error", TABLE, above(error, most.warning, most.failure), round(error, 4), most.failure,
                "mean distance of probability and what came", THEME, version)
    for name in ("pr_auc", "brier", "rows", "positives"):
        if name in figures:
            yield Check(name.replace("_", "-"), TABLE, Status.OK, round(figures[name], 4), None, "for information", THEME, version)
    refused = list(result.get("refused", ()))
    yield Check("gates-refused", TABLE, Status.WARNING if refused else Status.OK, len(refused), 0,
                f"gates that it would not pass today: {', '.join(refused) or 'none'}", THEME, version)
