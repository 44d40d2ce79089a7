"""The job `rollback`: the version that served before serves again."""

from __future__ import annotations

import sys
from typing import Any

from applications.jobs.job import run
from applications.ml.model.registry import Registry
from applications.ml.training.parameters import Rollback
from applications.ml.training.settings import TrainingSettings
from applications.ml.training.words import in_words


def work(settings: TrainingSettings, wanted: Rollback) -> dict[str, Any]:
    """Gives `champion` back to the version with the alias `previous`."""
    with in_words():
        registry = Registry(settings.mlflow_uri, seconds=settings.mlflow_seconds)
        former, back = registry.champion(), registry.rollback()
    return {"champion": back.number, "before": former.number if former else None, "run_id": back.run_id}


if __name__ == "__main__":
    sys.exit(run(TrainingSettings, Rollback, work))
