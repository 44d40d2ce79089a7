"""Rules, against a real MLflow: what passes is registered, what is better serves, what is refused does neither; and every job says
in words what it cannot do."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from applications.jobs.job import JobError
from applications.ml.features.offline import TrainingFrame
from applications.ml.model.artifact import FILE
from applications.ml.model.registry import NAME, Registry
from applications.ml.training import tracking
from applications.ml.training.__main__ import KINDS
from applications.ml.training.evaluate import evaluate
from applications.ml.training.evaluate import work as evaluate_work
from applications.ml.training.parameters import Evaluate, Promote, Rollback, Train
from applications.ml.training.promote import work as promote_work
from applications.ml.training.rollback import work as rollback_work
from applications.ml.training.settings import TrainingSettings
from applications.ml.training.train import train
from tests.unit.ml.mlflow_process import MlflowProcess
from tests.unit.ml.training_frames import DRIVEN, labelled

TRAIN = Train(seed=3)
DATA = TrainingFrame(labelled(patients=300, days=20), "labels=4,features=5")


@pytest.fixture
def settings(mlflow_server: MlflowProcess, monkeypatch: pytest.MonkeyPatch) -> TrainingSettings:
    """Settings whose registry has no version yet."""
    try:
        mlflow.MlflowClient(mlflow_server.uri).delete_registered_model(NAME)
    except MlflowException as error:
        assert error.error_code == "RESOURCE_DOES_NOT_EXIST"
    monkeypatch.setattr(tracking, "plots", lambda *_: ())  # drawn in other tests, and half of a training's time here
    return TrainingSettings.model_validate({
        "service": "ml-training", "layer": "ml", "api_key": "a-key-for-tests-only", "lake_user": "ml-training",
        "lake_secret_key": "a-secret-for-tests", "mlflow_uri": mlflow_server.uri, "code_version": "abc"})


def changed(change: Callable[[pd.DataFrame], pd.DataFrame]) -> TrainingFrame:
    return TrainingFrame(change(DATA.frame.copy()), "labels=9,features=9")


def blurred(frame: pd.DataFrame) -> pd.DataFrame:
    """A worse set of features: the model still passes, and is no champion's match."""
    draw = np.random.default_rng(0)
    return frame.assign(**{name: frame[name] + 0.8 * abs(size) * draw.normal(size=len(frame)) for name, size in DRIVEN.items()})


def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(label=np.random.default_rng(0).permutation(frame["label"].to_numpy()))


def champion(settings: TrainingSettings) -> int | None:
    found = Registry(settings.mlflow_uri).champion()
    return found.number if found else None


def test_the_first_model_that_passes_serves(settings: TrainingSettings) -> None:
    result = train(settings, TRAIN, DATA)
    assert (result["version"], result["promoted"], result["refused"], result["champion_before"]) == (1, True, [], None)
    assert champion(settings) == 1
    assert (result["data_version"], result["code_version"], result["seed"]) == ("labels=4,features=5", "abc", 3)
    assert result["metrics"]["auroc"] >= 0.75 and {gate["name"] for gate in result["gates"]} >= {"auroc", "ece"}
    assert json.loads(json.dumps(result)) == result
    version = Registry(settings.mlflow_uri).version(1)
    assert version.run_id == result["run_id"] and version.tags["data_version"] == "labels=4,features=5"


def test_a_model_that_fails_a_gate_is_logged_and_not_registered(settings: TrainingSettings, mlflow_server: MlflowProcess) -> None:
    result = train(settings, TRAIN, changed(shuffled))
    assert (result["version"], result["promoted"]) == (None, False)
    assert "auroc" in result["refused"]
    assert champion(settings) is None
    client = mlflow.MlflowClient(mlflow_server.uri)
    assert client.get_run(result["run_id"]).data.metrics["auroc"] < 0.75
    assert client.search_model_versions(f"name='{NAME}'") == []


def test_only_a_better_model_takes_the_champion_s_place(settings: TrainingSettings) -> None:
    first = train(settings, TRAIN, changed(blurred))
    better = train(settings, TRAIN, DATA)
    again = train(settings, TRAIN, DATA)
    assert (first["promoted"], better["promoted"], again["promoted"]) == (True, True, False)
    assert again["refused"] == ["pr_auc_above_champion"] and again["version"] == 3
    assert again["metrics"] == better["metrics"], "the same data and seed"
    assert champion(settings) == 2
    rolled = rollback_work(settings, Rollback())
    assert (rolled["champion"], rolled["before"]) == (1, 2) and champion(settings) == 1
    promoted = promote_work(settings, Promote(version=3))
    assert (promoted["champion"], promoted["before"]) == (3, 1) and champion(settings) == 3


def test_without_promotion_a_model_is_registered_only(settings: TrainingSettings) -> None:
    result = train(settings, Train(seed=3, promote=False), DATA)
    assert (result["version"], result["promoted"]) == (1, False)
    assert champion(settings) is None


def test_a_champion_that_cannot_be_read_is_not_replaced_unseen(settings: TrainingSettings, mlflow_server: MlflowProcess) -> None:
    before = set(mlflow_server.artifacts.rglob(FILE))
    train(settings, TRAIN, DATA)
    stored, = set(mlflow_server.artifacts.rglob(FILE)) - before
    stored.write_text("{}")
    result = train(settings, TRAIN, DATA)
    assert (result["version"], result["promoted"], result["refused"]) == (2, False, ["pr_auc_above_champion"])
    assert "the champion cannot be evaluated" in result["gates"][-1]["note"]
    with pytest.raises(JobError, match="no model that can be read"):
        promote_work(settings, Promote(version=1))
    assert promote_work(settings, Promote(version=2))["champion"] == 2


def test_an_evaluation_takes_the_patients_that_training_held_out(settings: TrainingSettings) -> None:
    trained = train(settings, TRAIN, DATA)
    registry = Registry(settings.mlflow_uri)
    version = registry.version(1)
    last = DATA.frame["event_timestamp"] > DATA.frame["event_timestamp"].max() - pd.Timedelta(days=7)
    found = evaluate(settings, registry, version, changed(lambda frame: frame[last]))
    assert found["patients"] == trained["split"]["test"]["patients"]
    assert found["metrics"]["rows"] == found["patients"] * 28
    assert found["metrics"]["auroc"] == pytest.approx(trained["metrics"]["auroc"], abs=0.05)
    assert champion(settings) == 1
    run = mlflow.MlflowClient(settings.mlflow_uri).get_run(found["run_id"])
    assert run.data.metrics["auroc"] == pytest.approx(found["metrics"]["auroc"])
    assert run.data.tags["version"] == "1"


def test_what_a_job_cannot_do_it_says(settings: TrainingSettings) -> None:
    with pytest.raises(JobError, match="no version with the alias previous to go back to"):
        rollback_work(settings, Rollback())
    with pytest.raises(JobError, match="version 7 of adverse-event-predictor: there is none in the registry"):
        promote_work(settings, Promote(version=7))
    with pytest.raises(JobError, match="there is no champion to evaluate"):
        evaluate_work(settings, Evaluate())
    away = settings.model_copy(update={"mlflow_uri": "http://127.0.0.1:9"})
    with pytest.raises(JobError, match="see whether mlflow-server is healthy"):
        rollback_work(away, Rollback())


def test_every_kind_has_a_module_that_does_it() -> None:
    assert set(KINDS) == {"train", "promote", "rollback", "evaluate"}
    for kind in KINDS.values():
        assert callable(importlib.import_module(kind.module).work)
