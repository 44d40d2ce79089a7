"""What a training leaves in MLflow: parameters, versions of data and code, figures, pictures, reports, and the model."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from applications.ml.features import registry
from applications.ml.model import artifact
from applications.ml.model.errors import RegistryError
from applications.ml.model.registry import configure_client, reason
from applications.ml.model.risk import RiskModel
from applications.ml.training.evaluation import Evaluation
from applications.ml.training.gates import Gate
from applications.ml.training.plots import importances, plots
from applications.ml.training.split import Split

FLAVOUR = Path(artifact.__file__).with_name("flavour.py")
PACKAGES = ("features", "model", "training")
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(DataType.string if feature.kind == "category" else DataType.double, feature.name, required=False)
                   for feature in registry.FEATURES]),
    outputs=Schema([ColSpec(DataType.double, "probability"), ColSpec(DataType.boolean, "high_risk")]))
EXAMPLE_ROWS = 2


@dataclass(frozen=True)
class Trained:
    """A finished training, as it is logged. `candidates` are the test figures of every kind that was fitted."""

    model: RiskModel
    parts: Split
    evaluation: Evaluation
    candidates: Mapping[str, Mapping[str, float]]
    gates: tuple[Gate, ...]
    seed: int
    data_version: str


def code_version(told: str) -> str:
    """What the environment says, else a digest of this layer's code."""
    if told:
        return told
    layer = Path(artifact.__file__).parents[1]
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((layer / package).glob("*.py")):
            digest.update(path.read_bytes())
    return f"sha256-{digest.hexdigest()[:16]}"


def log_training(tracking_uri: str, experiment: str, trained: Trained, code: str) -> str:
    """Logs a training as one run and returns the run's id. Raises RegistryError when MLflow is away or refuses."""
    return _logged(tracking_uri, experiment, f"train-{trained.model.kind}", lambda: _training(trained, code))


def log_evaluation(tracking_uri: str, experiment: str, found: Evaluation, tags: Mapping[str, str]) -> str:
    """Logs an evaluation of a registered version as a run of its own and returns the run's id."""
    def log() -> None:
        mlflow.set_tags(dict(tags))
        mlflow.log_metrics(found.measured.figures())
        mlflow.log_dict({"subgroups": found.report()}, "reports/subgroups.json")
    return _logged(tracking_uri, experiment, "evaluate", log)


def _logged(tracking_uri: str, experiment: str, name: str, log: Callable[[], None]) -> str:
    configure_client()
    try:
        mlflow.set_tracking_uri(tracking_uri)
        mlflow.set_registry_uri(tracking_uri)
        mlflow.set_experiment(experiment)
        with mlflow.start_run(run_name=name) as run:
            log()
        return str(run.info.run_id)
    except (MlflowException, OSError) as error:
        raise RegistryError(f"the run could not be logged at {tracking_uri} ({reason(error)}): see whether mlflow-server is "
                            "healthy, and start the job again") from error


def _training(trained: Trained, code: str) -> None:
    split = trained.parts.description()
    mlflow.log_params({
        "kind": trained.model.kind, "seed": trained.seed, "threshold": trained.model.threshold,
        "calibration_slope": trained.model.calibration.slope, "calibration_intercept": trained.model.calibration.intercept,
        **{f"{part}_{name}": value for part, facts in split.items() for name, value in facts.items()}})
    mlflow.set_tags(tags(trained, code))
    mlflow.log_metrics(trained.evaluation.measured.figures())
    for kind, figures in trained.candidates.items():
        mlflow.log_metrics({f"{kind}.{name}": value for name, value in figures.items()})
    weights = importances(trained.model, trained.parts.test)
    for name, figure in plots(trained.evaluation, weights):
        mlflow.log_figure(figure, f"plots/{name}")
    mlflow.log_dict({"subgroups": trained.evaluation.report()}, "reports/subgroups.json")
    mlflow.log_dict({"gates": [asdict(gate) for gate in trained.gates]}, "reports/gates.json")
    mlflow.log_dict({"split": split}, "reports/split.json")
    mlflow.log_dict({"importances": weights}, "reports/importances.json")
    _model(trained)


def tags(trained: Trained, code: str) -> dict[str, str]:
    """What a run and its version are found by."""
    return {"features_version": registry.VERSION, "code_version": code, "seed": str(trained.seed), "kind": trained.model.kind,
            "data_version": trained.data_version}


def _model(trained: Trained) -> None:
    with tempfile.TemporaryDirectory() as folder:
        mlflow.pyfunc.log_model(
            name="model", python_model=str(FLAVOUR), artifacts={artifact.KEY: str(artifact.write(trained.model, Path(folder)))},
            signature=SIGNATURE, input_example=example(trained.parts.test),
            # The image has what the model needs; asking what this process has imported would take a minute.
            pip_requirements=["lightgbm", "numpy", "pandas"])


def example(frame: pd.DataFrame) -> pd.DataFrame:
    """The first rows' features, and nothing that says whose they are."""
    return frame.loc[:, list(registry.NAMES)].head(EXAMPLE_ROWS).reset_index(drop=True)
