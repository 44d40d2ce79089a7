"""The job `promote`: a person makes a registered version champion."""

from __future__ import annotations

import sys
from typing import Any

from applications.jobs.job import run
from applications.ml.model.registry import Registry
from applications.ml.training.parameters import Promote
from applications.ml.training.settings import TrainingSettings
from applications.ml.training.words import in_words


def work(settings: TrainingSettings, wanted: Promote) -> dict[str, Any]:
    """Moves `champion`, and `previous` to the version that had it. A version that serving could not load is refused."""
    with in_words():
        registry = Registry(settings.mlflow_uri, seconds=settings.mlflow_seconds)
        former, version = registry.champion(), registry.version(wanted.version)
        registry.load(version)
        promoted = registry.promote(version.number)
    return {"champion": promoted.number, "before": former.number if former else None, "run_id": promoted.run_id}


if __name__ == "__main__":
    sys.exit(run(TrainingSettings, Promote, work))
