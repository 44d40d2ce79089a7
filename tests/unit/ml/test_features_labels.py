"""Labels: an adverse event of grade 2 or more in (t, t + 24 h], known only once somebody could have reported it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from applications.clinical.simulation import Simulation
from applications.ml.features import offline
from applications.ml.features.labels import frontier, label_rows
from applications.ml.features.lake import FEATURES_TABLE, LABELS_TABLE
from applications.ml.features.offline import FEATURES_SCHEMA, join, training_frame
from applications.ml.features.rows import micros
from tests.unit.ml.features_world import ADVERSE, NOW, VITALS, Row, World, event, raw, simulated

T = datetime(2026, 11, 22, 6, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOMENT = timedelta(microseconds=1)
PATIENT = "PTA0000001"


def adverse(start: datetime, grade: int = 2, **more: object) -> Row:
    return event(ADVERSE, start, grade=grade, start_time=start, **more)


def label(*events: Row, cutoff: datetime = T, known_until: datetime = T + 10 * DAY) -> list[int]:
    """The label of one cut-off; none while it is not mature."""
    keys = pa.table({"patient_id": [PATIENT], "event_timestamp": pa.array([cutoff], pa.timestamp("us", "UTC"))})
    rows = label_rows(keys, raw({ADVERSE: list(events)})[ADVERSE], known_until, cutoff.date(), NOW)
    found: list[int] = rows["label"].to_pylist()
    return found


@pytest.mark.parametrize(("after", "expected"), [
    (timedelta(), 0), (MOMENT, 1), (12 * HOUR, 1), (24 * HOUR, 1), (24 * HOUR + MOMENT, 0), (-HOUR, 0)])
def test_the_window_is_open_at_the_cutoff_and_closed_a_day_later(after: timedelta, expected: int) -> None:
    """What began by the cut-off is no prediction."""
    assert label(adverse(T + after)) == [expected]


@pytest.mark.parametrize(("grade", "expected"), [(1, 0), (2, 1), (5, 1)])
def test_mild_events_do_not_count(grade: int, expected: int) -> None:
    """Grade 2 and above do."""
    assert label(adverse(T + HOUR, grade)) == [expected]


def test_another_patients_event_does_not_count() -> None:
    """Labels are of a patient."""
    assert label(adverse(T + HOUR, patient="PTA0000002")) == [0]


def test_it_is_the_onset_that_counts_and_not_the_report() -> None:
    """A report may come days later."""
    assert label({**adverse(T + 3 * DAY), "start_time": T + HOUR}) == [1]


def test_an_unknown_future_is_no_label() -> None:
    """Not 0: until adverse events are known for the whole of the 24 hours, there is none, also where there is an event."""
    assert label(known_until=T + DAY) == [0]
    assert label(known_until=T + DAY - MOMENT) == []
    assert label(adverse(T + HOUR), known_until=T + DAY - MOMENT) == []


def test_the_frontier_is_the_newest_event_of_any_grade() -> None:
    """And never ahead of now."""
    rows = raw({ADVERSE: [adverse(T), adverse(T + HOUR, 1)]})[ADVERSE]
    assert frontier(rows, NOW) == T + HOUR
    assert frontier(rows, T) == T
    assert frontier(rows[:0], NOW) is None


def test_labels_follow_the_frontier(tmp_path: Path) -> None:
    """With each newer report more cut-offs are mature; a late one changes its day and no other."""
    world = World(tmp_path)
    world.add({VITALS: [event(VITALS, T + hours * HOUR, heart_rate=60.0 + hours) for hours in range(-4, 60)],
               ADVERSE: [adverse(T + 20 * HOUR, 1)]})
    now = T + 60 * HOUR
    world.run(now)
    assert world.lake.table(LABELS_TABLE) is None
    world.add({ADVERSE: [adverse(T + 31 * HOUR, 1, number=1)]})
    world.run(now)
    assert world.labels()["event_timestamp"].tolist() == [T, T + 6 * HOUR]
    world.add({ADVERSE: [adverse(T + 49 * HOUR, 1, number=2), {**adverse(T + 8 * HOUR, 3), "recorded_time": now - HOUR}]})
    world.run(now)
    found = world.labels()
    assert found["event_timestamp"].tolist() == [T + hours * HOUR for hours in (0, 6, 12, 18, 24)]
    assert found["label"].tolist() == [1, 1, 0, 0, 0]
    version = world.version(LABELS_TABLE)
    world.add({ADVERSE: [adverse(T + 53 * HOUR, 2, number=3)]})
    world.run(now)
    assert world.version(LABELS_TABLE) == version
    world.add({ADVERSE: [{**adverse(T + 47 * HOUR, 2, number=4), "recorded_time": now}]})
    world.run(now)
    assert world.labels()["label"].tolist() == [1, 1, 0, 0, 1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Five days of simulated patients."""
    found = World(tmp_path_factory.mktemp("labels"))
    found.add(simulated(40, 5, vitals_minutes=360))
    found.run()
    return found


def test_labels_are_the_truth_of_the_simulation(world: World) -> None:
    """The simulation's own onsets say the same; and both kinds occur."""
    simulation = Simulation(1, 40, NOW, vitals_minutes=360)
    number = {patient.patient_id: index for index, patient in enumerate(simulation.patients)}
    found = world.labels()
    truth = [int(any(onset.grade >= 2 for onset in simulation.onsets(number[row.patient_id], cutoff, cutoff + DAY)))
             for row in found.itertuples() for cutoff in [row.event_timestamp.to_pydatetime()]]
    assert found["label"].tolist() == truth
    assert 0 < sum(truth) < len(truth) / 3


def test_every_mature_row_of_features_has_a_label(world: World) -> None:
    """The same keys, each once."""
    keys = ["patient_id", "event_timestamp"]
    features, labels = world.features(), world.labels()
    mature = features[features["event_timestamp"] <= labels["event_timestamp"].max()]
    pd.testing.assert_frame_equal(mature[keys].reset_index(drop=True), labels[keys])


def test_the_training_set_has_labels_with_their_features(world: World) -> None:
    """Of the range that was asked for, with the versions that it was made of."""
    found = training_frame(world.lake)
    assert found is not None
    labels = world.labels().drop(columns="date")
    expected = world.features().drop(columns="date").merge(labels, on=["patient_id", "event_timestamp"])
    pd.testing.assert_frame_equal(found.frame, expected, check_exact=True)
    assert found.data_version == f"labels={world.version(LABELS_TABLE)},features={world.version(FEATURES_TABLE)}"
    part = training_frame(world.lake, T, T + 12 * HOUR)
    assert part is not None and sorted(part.frame["event_timestamp"].unique()) == [T, T + 6 * HOUR]


def test_there_is_no_training_set_without_tables(tmp_path: Path) -> None:
    """None, which is no fault."""
    assert training_frame(World(tmp_path).lake) is None


def test_a_join_never_takes_features_of_later_and_none_that_are_too_old() -> None:
    """The latest at or before the cut-off of the label, at most LONGEST_AGE older."""
    def feature(at: datetime, value: float, patient: str = PATIENT) -> dict[str, object]:
        return {"patient_id": patient, "event_timestamp": at, "age": value}

    features = pa.Table.from_pylist([feature(T - 7 * HOUR, 1.0), feature(T - HOUR, 2.0), feature(T + MOMENT, 3.0),
                                     feature(T, 4.0, "PTA0000002")], schema=FEATURES_SCHEMA)
    labels = pa.Table.from_pylist([{"patient_id": PATIENT, "event_timestamp": T + hours * HOUR, "label": hours}
                                   for hours in (-8, -2, 0, 1, 12)],
                                  schema=pa.schema([("patient_id", pa.string()), ("event_timestamp", offline.MOMENT),
                                                    ("label", pa.int32())]))
    found = join(labels, features)
    assert found[["label", "age"]].to_numpy().tolist() == [[-2, 1.0], [0, 2.0], [1, 3.0]]
    assert micros(found["event_timestamp"].iloc[0].to_pydatetime()) == micros(T - 2 * HOUR)
