"""The job `train`: from the labelled features to a registered version, and to the champion if it is better."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from applications.jobs.job import run
from applications.ml.features.lake import Lake
from applications.ml.features.offline import TrainingFrame
from applications.ml.model.registry import Registry, Version
from applications.ml.training.data import labelled_features
from applications.ml.training.gates import BEATS_CHAMPION, refused
from applications.ml.training.learning import learn
from applications.ml.training.parameters import Train
from applications.ml.training.settings import TrainingSettings
from applications.ml.training.tracking import code_version, log_training, tags
from applications.ml.training.words import in_words


def work(settings: TrainingSettings, wanted: Train) -> dict[str, Any]:
    """Trains on the latest labelled days. The result says what the model is worth and what became of it."""
    with in_words():
        return train(settings, wanted, labelled_features(Lake.on_store(settings), settings.history_days))


def train(settings: TrainingSettings, wanted: Train, data: TrainingFrame) -> dict[str, Any]:
    """Trains on a frame, logs the run, registers it when the gates on data hold, promotes it when it beats the champion too.

    Raises JobError for a frame that is too small, RegistryError when MLflow is away.
    """
    registry = Registry(settings.mlflow_uri, seconds=settings.mlflow_seconds)
    champion = registry.champion()
    trained = learn(data.frame, data.data_version, wanted.seed, lambda: None if champion is None else registry.load(champion),
                    settings.most_auroc_gap)
    code = code_version(settings.code_version)
    run_id = log_training(settings.mlflow_uri, settings.experiment, trained, code)
    failed = refused(trained.gates)
    version: Version | None = None
    if not set(failed) - {BEATS_CHAMPION}:
        version = registry.register(run_id, tags(trained, code))
    promoted = version is not None and not failed and wanted.promote
    if version is not None and promoted:
        registry.promote(version.number)
    return {"run_id": run_id, "kind": trained.model.kind, "threshold": trained.model.threshold,
            "metrics": trained.evaluation.measured.figures(), "candidates": trained.candidates,
            "subgroups": trained.evaluation.report(), "split": trained.parts.description(),
            "gates": [asdict(gate) for gate in trained.gates], "refused": failed,
            "version": version.number if version else None, "promoted": promoted,
            "champion_before": champion.number if champion else None,
            "features_version": trained.model.features_version, "data_version": data.data_version, "code_version": code,
            "seed": wanted.seed}


if __name__ == "__main__":
    sys.exit(run(TrainingSettings, Train, work))
