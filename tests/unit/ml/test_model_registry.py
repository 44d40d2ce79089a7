"""Rules, against a real MLflow: one champion at a time, the one before it is kept, a client needs no key of the object store, and
whatever is missing, damaged or away is said in words."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import mlflow
import pytest

from applications.ml.model.artifact import FILE
from applications.ml.model.errors import ModelError, RegistryError
from applications.ml.model.registry import Registry
from applications.ml.model.risk import RiskModel
from applications.ml.training.evaluation import evaluate
from applications.ml.training.gates import on_data
from applications.ml.training.split import Split
from applications.ml.training.tracking import Trained, example, log_training, tags
from tests.unit.ml.mlflow_process import MlflowProcess, Way

EXPERIMENT = "registry-tests"


@pytest.fixture(scope="module")
def trained(models: Mapping[str, RiskModel], parts: Split) -> Trained:
    found = evaluate(models["gbm"], parts.test)
    return Trained(models["gbm"], parts, found, {"gbm": found.measured.figures()}, tuple(on_data(found)), 3, "features=7")


@pytest.fixture(autouse=True)
def nothing_by_default(run_id: str, tmp_path: Path) -> None:
    """MLflow's own default leads nowhere, as in a process that only serves; a registry knows its server by itself."""
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/default.db")
    mlflow.set_registry_uri(f"sqlite:///{tmp_path}/default.db")


@pytest.fixture(scope="module")
def run_id(mlflow_server: MlflowProcess, trained: Trained) -> str:
    return log_training(mlflow_server.uri, EXPERIMENT, trained, "code-1")


@pytest.fixture
def registry(mlflow_server: MlflowProcess, request: pytest.FixtureRequest) -> Registry:
    """A registry of this test's own: a model's name that no other test uses."""
    return Registry(mlflow_server.uri, name=request.node.name)


def test_a_run_holds_what_a_reader_needs_to_judge_it(mlflow_server: MlflowProcess, run_id: str, trained: Trained) -> None:
    client = mlflow.MlflowClient(mlflow_server.uri)
    run = client.get_run(run_id)
    assert run.data.metrics["auroc"] == pytest.approx(trained.evaluation.measured.auroc)
    assert {"pr_auc", "brier", "ece", "recall_at_precision_30", "gbm.pr_auc"} <= set(run.data.metrics)
    assert run.data.tags.items() >= {"code_version": "code-1", "data_version": "features=7", "seed": "3", "kind": "gbm",
                                     "features_version": trained.model.features_version}.items()
    assert run.data.params["test_rows"] == str(len(trained.parts.test))
    kept = {entry.path for folder in ("plots", "reports") for entry in client.list_artifacts(run_id, folder)}
    assert kept == {"plots/precision-recall.png", "plots/roc.png", "plots/calibration.png", "plots/importances.png",
                    "reports/gates.json", "reports/subgroups.json", "reports/split.json", "reports/importances.json"}


def test_a_run_tells_nothing_of_single_patients(mlflow_server: MlflowProcess, run_id: str, trained: Trained) -> None:
    patients = set(trained.parts.test["patient_id"])
    texts = [path.read_text(errors="ignore") for path in mlflow_server.artifacts.rglob("*") if path.is_file()]
    assert len(texts) > 10
    assert not any(patient in text for text in texts for patient in patients)


def test_a_registered_model_is_loaded_as_it_was(registry: Registry, run_id: str, trained: Trained,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    version = registry.register(run_id, tags(trained, "code-1"))
    assert (version.number, version.run_id, version.aliases, version.tags["seed"]) == (1, run_id, (), "3")
    model = registry.load(version)
    assert (model.predict(trained.parts.test) == trained.model.predict(trained.parts.test)).all()


def test_mlflow_s_own_loader_gives_the_same_and_knows_the_signature(registry: Registry, mlflow_server: MlflowProcess, run_id: str,
                                                                    trained: Trained) -> None:
    mlflow.set_tracking_uri(mlflow_server.uri)
    mlflow.set_registry_uri(mlflow_server.uri)
    number = registry.register(run_id).number
    loaded = mlflow.pyfunc.load_model(f"models:/{registry.name}/{number}")
    rows = example(trained.parts.test)
    assert loaded.predict(rows)["probability"].to_numpy() == pytest.approx(trained.model.predict(rows))
    assert loaded.metadata.signature.inputs.input_names() == list(trained.model.names)
    assert loaded.metadata.saved_input_example_info is not None
    with pytest.raises(mlflow.exceptions.MlflowException, match="schema"):
        loaded.predict(rows.assign(age="old"))


def test_there_is_no_champion_before_one_is_promoted(registry: Registry, run_id: str) -> None:
    assert registry.champion() is None
    registry.register(run_id)
    assert registry.champion() is None and registry.previous() is None


def test_the_champion_before_is_kept_and_can_come_back(registry: Registry, run_id: str) -> None:
    first, second, third = (registry.register(run_id).number for _ in range(3))
    assert registry.promote(first).aliases == ("champion",)
    assert registry.previous() is None
    registry.promote(third)
    champion, previous = registry.champion(), registry.previous()
    assert champion is not None and previous is not None and (champion.number, previous.number) == (third, first)
    assert registry.rollback().number == first
    champion = registry.champion()
    assert champion is not None and champion.number == first and registry.previous() is None
    registry.promote(second)
    previous = registry.previous()
    assert previous is not None and previous.number == first


def test_promoting_the_champion_again_keeps_the_one_before(registry: Registry, run_id: str) -> None:
    """Else a retry would lose the way back."""
    first, second = (registry.register(run_id).number for _ in range(2))
    for number in (first, second, second):
        registry.promote(number)
    previous = registry.previous()
    assert previous is not None and previous.number == first


def test_there_is_no_way_back_twice(registry: Registry, run_id: str) -> None:
    for _ in range(2):
        registry.promote(registry.register(run_id).number)
    registry.rollback()
    with pytest.raises(RegistryError, match="no version with the alias previous to go back to"):
        registry.rollback()


def test_what_is_not_there_is_said_and_changes_nothing(registry: Registry, run_id: str) -> None:
    number = registry.register(run_id).number
    registry.promote(number)
    for wrong in (lambda: registry.promote(99), lambda: registry.version(99), lambda: registry.register("0" * 32)):
        with pytest.raises(RegistryError, match="there is none in the registry"):
            wrong()
    champion = registry.champion()
    assert champion is not None and champion.number == number


def test_a_run_without_a_model_is_not_registered(registry: Registry, mlflow_server: MlflowProcess) -> None:
    client = mlflow.MlflowClient(mlflow_server.uri)
    empty = client.create_run(client.create_experiment("empty")).info.run_id
    with pytest.raises(RegistryError, match="has logged 0 models"):
        registry.register(empty)


def test_a_damaged_artifact_is_refused_and_a_restored_one_loaded(registry: Registry, mlflow_server: MlflowProcess,
                                                                 trained: Trained) -> None:
    before = set(mlflow_server.artifacts.rglob(FILE))
    version = registry.register(log_training(mlflow_server.uri, EXPERIMENT, trained, "code-1"))
    stored, = set(mlflow_server.artifacts.rglob(FILE)) - before
    whole = stored.read_bytes()
    changed = whole.replace(b'"threshold": 0.', b'"threshold": 1.')
    assert changed != whole
    for damaged in (changed, whole[:1000], None):
        if damaged is None:
            stored.unlink()
        else:
            stored.write_bytes(damaged)
        with pytest.raises(ModelError, match="Restore it, or train a new model"):
            registry.load(version)
    stored.write_bytes(whole)
    assert registry.load(version).threshold == trained.model.threshold


def test_a_model_of_which_every_file_is_damaged_is_refused_too(registry: Registry, mlflow_server: MlflowProcess,
                                                               trained: Trained) -> None:
    before = set(mlflow_server.artifacts.rglob(FILE))
    version = registry.register(log_training(mlflow_server.uri, EXPERIMENT, trained, "code-1"))
    stored, = set(mlflow_server.artifacts.rglob(FILE)) - before
    files = [path for path in stored.parents[1].rglob("*") if path.is_file()]
    assert stored in files and len(files) > 1
    for path in files:
        path.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="Restore it, or train a new model"):
        registry.load(version)


def test_a_server_that_is_away_is_said_and_comes_back(mlflow_server: MlflowProcess, run_id: str, trained: Trained) -> None:
    way = Way(mlflow_server.port)
    registry = Registry(way.uri, name="away")
    version = registry.promote(registry.register(run_id).number)
    way.close()
    for call in (registry.champion, lambda: registry.load(version), lambda: registry.register(run_id), registry.rollback,
                 lambda: log_training(way.uri, EXPERIMENT, trained, "code-1")):
        with pytest.raises(RegistryError, match=r"Connection.*see whether mlflow-server is healthy"):
            call()
    way.open()
    assert registry.champion() == version
    registry.load(version)
    way.close()


def test_a_server_that_takes_a_call_and_never_answers_does_not_hold_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    mute = socket.create_server(("127.0.0.1", 0))
    with mute, pytest.raises(RegistryError, match=r"timed out.*see whether mlflow-server is healthy"):
        Registry(f"http://127.0.0.1:{mute.getsockname()[1]}").champion()
