"""Starts ml-training: `python3 -m applications.ml.training`."""

from __future__ import annotations

import sys

from applications.jobs.kinds import Kind
from applications.jobs.service import serve
from applications.ml.features.lake import Lake
from applications.ml.model.registry import Registry
from applications.ml.training.bootstrap import Bootstrap
from applications.ml.training.data import label_state
from applications.ml.training.parameters import Evaluate, Promote, Rollback, Train
from applications.ml.training.settings import TrainingSettings
from applications.runtime import settings

KINDS = {
    "train": Kind(parameters=Train, module="applications.ml.training.train",
                  what="Trains on the latest labelled days; what passes the gates is registered, what is better serves."),
    "promote": Kind(parameters=Promote, module="applications.ml.training.promote",
                    what="Makes a registered version champion, by a person's decision."),
    "rollback": Kind(parameters=Rollback, module="applications.ml.training.rollback",
                     what="Makes the version that served before champion again."),
    "evaluate": Kind(parameters=Evaluate, module="applications.ml.training.evaluate",
                     what="Evaluates the champion, or another version, on the newest labelled days.")}


def main() -> int:
    """Serves until it is stopped; returns the exit status."""
    found = settings.load(TrainingSettings)
    registry, lake = Registry(found.mlflow_uri), Lake.on_store(found)
    return serve(found, KINDS, Bootstrap(found, registry.champion, lambda: label_state(lake)))


if __name__ == "__main__":
    sys.exit(main())
