"""The job `evaluate`: what a registered version is worth on the newest labelled days."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from applications.jobs.job import JobError, run
from applications.ml.features.lake import Lake
from applications.ml.features.offline import TrainingFrame
from applications.ml.model.registry import Registry, Version
from applications.ml.training.data import labelled_features
from applications.ml.training.evaluation import evaluate as evaluated
from applications.ml.training.gates import on_data, refused
from applications.ml.training.parameters import Evaluate
from applications.ml.training.settings import TrainingSettings
from applications.ml.training.split import KEY, TEST, part_of
from applications.ml.training.tracking import log_evaluation
from applications.ml.training.words import in_words


def work(settings: TrainingSettings, wanted: Evaluate) -> dict[str, Any]:
    """Evaluates on the latest days. Nothing is promoted or withdrawn by it."""
    with in_words():
        registry = Registry(settings.mlflow_uri, seconds=settings.mlflow_seconds)
        version = registry.champion() if wanted.version is None else registry.version(wanted.version)
        if version is None:
            raise JobError("there is no champion to evaluate: train one, or give the number of a version")
        return evaluate(settings, registry, version, labelled_features(Lake.on_store(settings), wanted.days))


def evaluate(settings: TrainingSettings, registry: Registry, version: Version, data: TrainingFrame) -> dict[str, Any]:
    """Evaluates a version on the patients that its training held out, and logs that as a run of its own.

    Raises JobError when there are none of them, or the version does not say which they are; ModelError or RegistryError when
    the model cannot be had.
    """
    seed = version.tags.get("seed", "")
    if not seed.isdigit():
        raise JobError(f"version {version.number} has no tag `seed`, which says which patients its training held out: train anew")
    patients = [patient for patient in data.frame[KEY].unique() if part_of(patient, int(seed)) == TEST]
    if not patients:
        raise JobError(f"none of the patients that version {version.number} has not learned from is labelled: give more days")
    found = evaluated(registry.load(version), data.frame[data.frame[KEY].isin(patients)])
    gates = on_data(found, settings.most_auroc_gap)
    run_id = log_evaluation(settings.mlflow_uri, settings.experiment, found,
                            {"version": str(version.number), "data_version": data.data_version})
    return {"run_id": run_id, "version": version.number, "metrics": found.measured.figures(), "subgroups": found.report(),
            "gates": [asdict(gate) for gate in gates], "refused": refused(gates), "patients": len(patients),
            "data_version": data.data_version}


if __name__ == "__main__":
    sys.exit(run(TrainingSettings, Evaluate, work))
