"""Rules: the service trains by itself while there is no champion and the labels suffice, not again and again, and never beside a
training that runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from applications.jobs.job import JobError
from applications.jobs.schedule import Due
from applications.jobs.store import Status, Store
from applications.ml.features.lake import FEATURES_TABLE, LABELS_TABLE, Lake
from applications.ml.features.offline import LABELS_SCHEMA, Offline, feature_rows
from applications.ml.features.registry import NAMES
from applications.ml.model.errors import RegistryError
from applications.ml.model.registry import Version
from applications.ml.training.__main__ import KINDS
from applications.ml.training.bootstrap import Bootstrap
from applications.ml.training.data import VITALS_OF_A_DAY, LabelState, label_state, labelled_features
from applications.ml.training.settings import TrainingSettings
from tests.unit.ml.training_frames import labelled

LOOK = 30.0


def settings(**changes: object) -> TrainingSettings:
    return TrainingSettings.model_validate({
        "service": "ml-training", "layer": "ml", "api_key": "a-key-for-tests-only", "lake_user": "ml-training",
        "lake_secret_key": "a-secret-for-tests", "bootstrap_seconds": LOOK, **changes})


@dataclass
class World:
    """What the bootstrap sees, and its clock."""

    store: Store
    champion: Version | None = None
    labels: LabelState | None = field(default_factory=lambda: LabelState(4000, 200, datetime.now(UTC) - timedelta(hours=30)))
    now: float = 0.0
    looks: int = 0

    def bootstrap(self, **changes: object) -> Bootstrap:
        def champion() -> Version | None:
            self.looks += 1
            return self.champion
        return Bootstrap(settings(**changes), champion, lambda: self.labels, lambda: self.now)

    def wait(self, seconds: float = LOOK) -> None:
        self.now += seconds


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store(tmp_path / "jobs.sqlite")
    yield World(store)
    store.close()


def test_enough_fresh_labels_and_no_champion_start_a_training(world: World) -> None:
    due = world.bootstrap()(world.store)
    assert due == Due("train")
    assert KINDS[due.kind].parameters.model_validate(due.parameters)


@pytest.mark.parametrize("labels", [
    None, LabelState(4000, 149, datetime.now(UTC)), LabelState(4000, 200, datetime.now(UTC) - timedelta(hours=61)),
    LabelState(4000, 200, datetime.now(UTC), with_vitals=0.49)])
def test_without_enough_fresh_labels_nothing_is_trained(labels: LabelState | None, world: World) -> None:
    enough, world.labels = world.labels, labels
    bootstrap = world.bootstrap()
    assert bootstrap(world.store) is None
    world.labels = enough
    assert bootstrap(world.store) is None, "it looks every 30 seconds"
    world.wait()
    assert bootstrap(world.store) == Due("train")


def test_a_champion_ends_it(world: World) -> None:
    world.champion = Version(1, "run", ("champion",), {})
    assert world.bootstrap()(world.store) is None


def test_zero_seconds_are_never(world: World) -> None:
    assert world.bootstrap(bootstrap_seconds=0)(world.store) is None
    assert world.looks == 0


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_beside_a_training_nothing_is_started(status: Status, world: World) -> None:
    job, _ = world.store.add("train", {})
    if status is Status.RUNNING:
        world.store.take()
    bootstrap = world.bootstrap()
    assert bootstrap(world.store) is None
    world.store.take()
    world.store.finish(job.id, Status.FAILED)
    world.wait()
    assert bootstrap(world.store) == Due("train")


def test_after_a_refusal_it_waits_for_a_tenth_more_labels(world: World) -> None:
    assert world.labels is not None
    bootstrap = world.bootstrap()
    assert bootstrap(world.store)
    for rows, due in ((4000, None), (4399, None), (4400, Due("train")), (4800, None)):
        world.wait()
        world.labels = replace(world.labels, rows=rows)
        assert bootstrap(world.store) == due


@pytest.mark.parametrize(("status", "seconds"), [(Status.SUCCEEDED, 600), (Status.FAILED, 120)])
def test_it_tries_again_in_ten_minutes_after_a_refusal_and_soon_after_a_failure(status: Status, seconds: int, world: World) -> None:
    """A training whose model is refused has succeeded as a job; one that lost MLflow has not."""
    bootstrap = world.bootstrap()
    assert bootstrap(world.store)
    job, _ = world.store.add("train", {})
    world.store.take()
    world.store.finish(job.id, status)
    world.wait(seconds - LOOK)
    assert bootstrap(world.store) is None
    world.wait()
    assert bootstrap(world.store) == Due("train")


def test_a_registry_that_is_away_is_no_reason_to_train(world: World) -> None:
    """The caller logs it and asks again."""
    away = [True]

    def champion() -> Version | None:
        if away:
            raise RegistryError("away")
        return None
    bootstrap = Bootstrap(settings(), champion, lambda: world.labels, lambda: world.now)
    with pytest.raises(RegistryError):
        bootstrap(world.store)
    away.clear()
    assert bootstrap(world.store) is None
    world.wait()
    assert bootstrap(world.store) == Due("train")


def test_the_lake_says_how_many_labels_there_are_and_training_reads_the_latest_days(tmp_path: Path) -> None:
    lake = Lake.in_folder(tmp_path)
    assert label_state(lake) is None
    with pytest.raises(JobError, match="there are no labelled features yet"):
        labelled_features(lake, 3)
    frame = labelled(patients=20, days=6)
    fill(lake, frame)
    state, newest = label_state(lake), frame["event_timestamp"].max()
    assert state == LabelState(len(frame), int(frame["label"].sum()), newest.to_pydatetime())
    found = labelled_features(lake, 3).frame
    expected = frame[frame["event_timestamp"] >= newest - timedelta(days=3)].sort_values(["patient_id", "event_timestamp"],
                                                                                       ignore_index=True)
    assert 0 < len(expected) < len(frame)
    assert tuple(found.columns) == tuple(frame.columns) == ("patient_id", "event_timestamp", *NAMES, "label")
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_vital_signs_that_are_still_on_their_way_are_noticed(tmp_path: Path) -> None:
    """Results and adverse events of a history may be in silver long before its vital signs are."""
    lake, frame = Lake.in_folder(tmp_path), labelled(patients=20, days=6)
    newest = frame["event_timestamp"].max()
    late = (frame["event_timestamp"] == newest) & frame["patient_id"].isin(sorted(frame["patient_id"].unique())[:15])
    assert late.sum() == 15
    frame.loc[late, VITALS_OF_A_DAY] = float("nan")
    fill(lake, frame)
    state = label_state(lake)
    assert state is not None and state.with_vitals == 0.25


def fill(lake: Lake, frame: pd.DataFrame) -> None:
    """Writes features and labels as feature-engineering does."""
    offline, created = Offline(lake), datetime.now(UTC)
    for day, rows in frame.groupby(frame["event_timestamp"].dt.date):
        assert isinstance(day, date)
        features = [(cutoff.to_pydatetime(), part[["patient_id", *NAMES]]) for cutoff, part in rows.groupby("event_timestamp")]
        offline.replace(FEATURES_TABLE, day, feature_rows(features, day, created))
        labels = rows[["patient_id", "event_timestamp", "label"]].assign(created_timestamp=pd.Timestamp(created), date=day)
        offline.replace(LABELS_TABLE, day, pa.Table.from_pandas(labels, LABELS_SCHEMA, preserve_index=False))
