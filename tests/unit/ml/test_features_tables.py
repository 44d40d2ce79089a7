"""The tables of features and labels: whichever way they were made, they hold the same rows; and nothing is made in vain."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from applications.clinical.models import EventType
from applications.jobs.job import JobError
from applications.ml.features import mirror, pipeline
from applications.ml.features.computation import Patients
from applications.ml.features.lake import FEATURES_TABLE, LABELS_TABLE, brief
from applications.ml.features.pipeline import Done
from applications.ml.features.registry import NAMES
from applications.ml.features.rows import Database, moment
from applications.ml.features.silver import read
from tests.unit.ml.features_world import ADVERSE, DRUGS, LABS, NOW, STEP, VITALS, Row, World, event, raw, simulated, table

Rows = dict[EventType, list[Row]]
HOUR = timedelta(hours=1)
NEVER = datetime.min.replace(tzinfo=UTC)
NOTHING = Done(), Done()


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Three days of eight simulated patients; every twentieth event was recorded up to 40 hours late."""
    found, draw = simulated(8, 3), np.random.default_rng(2)
    patient = found[VITALS][0]["patient_id"]
    found[ADVERSE] += [event(ADVERSE, NOW - hours * HOUR, patient=patient, grade=grade, start_time=NOW - hours * HOUR)
                       for hours, grade in ((40, 3), (0.5, 1))]
    return {kind: [{**row, "recorded_time": row["event_time"] + draw.uniform(0, 40) * HOUR} if draw.random() < 0.05 else row
                   for row in some] for kind, some in found.items()}


@pytest.fixture(scope="module")
def whole(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Everything in one run. It is read only."""
    world = World(tmp_path_factory.mktemp("whole"))
    world.add(rows)
    world.run()
    return world


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A lake with nothing in it."""
    return World(tmp_path)


@pytest.fixture
def copy(whole: World, tmp_path: Path) -> World:
    """A lake and a service's folder like those of `whole`."""
    shutil.copytree(whole.data.parent, tmp_path, dirs_exist_ok=True)
    return World(tmp_path)


def recorded_by(rows: Rows, end: datetime, begin: datetime = NEVER) -> Rows:
    """The rows that were recorded in (begin, end]."""
    return {kind: [row for row in some if begin < row["recorded_time"] <= end] for kind, some in rows.items()}


def same(left: World, right: World) -> None:
    """Both tables of both lakes hold the same, to the last digit."""
    pd.testing.assert_frame_equal(left.features(), right.features(), check_exact=True)
    pd.testing.assert_frame_equal(left.labels(), right.labels(), check_exact=True)


def test_the_table_has_every_active_patient_at_every_cutoff_of_the_grid(whole: World, rows: Rows) -> None:
    """As the computation gives them from all rows, with nothing left out or kept in between."""
    found, patients = whole.features(), Patients(raw(rows))
    cutoffs = sorted(found["event_timestamp"].unique())
    assert len(cutoffs) > 10 and all(pd.Timestamp(cutoff).hour % 6 == 0 for cutoff in cutoffs)
    assert (found["date"] == found["event_timestamp"].dt.date).all()
    for cutoff in cutoffs:
        mine = found[found["event_timestamp"] == cutoff].drop(columns=["event_timestamp", "date"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, patients.at(pd.Timestamp(cutoff).to_pydatetime()), check_exact=True)


def test_a_day_at_a_time_is_the_same_as_all_at_once(world: World, whole: World, rows: Rows) -> None:
    """Runs of the service while events are recorded, each with what came since the last."""
    before = NEVER
    for hours in (50.3, 31, 17, 6, 0):
        now = NOW - hours * HOUR
        world.add(recorded_by(rows, now, before), files=2)
        world.run(now)
        before = now
    world.add(recorded_by(rows, NOW + 1000 * HOUR, before))
    world.run()
    same(world, whole)


def test_a_backfill_is_the_same_as_all_at_once(copy: World, whole: World) -> None:
    """Also over a table that was wrong."""
    wrong = DeltaTable(copy.lake.uri(FEATURES_TABLE))
    wrong.update(updates={"heart_rate_mean_6h": "1.0"})
    wrong.delete("date = '2026-11-24'")
    days = sorted(set(whole.features()["date"]))
    assert not copy.features().equals(whole.features())
    assert copy.backfill(days).days == len(days)
    same(copy, whole)


def test_a_repeated_run_writes_nothing(copy: World, whole: World) -> None:
    """Without anything new there is no commit at all."""
    versions = [copy.version(FEATURES_TABLE), copy.version(LABELS_TABLE)]
    assert copy.run() == NOTHING
    assert [copy.version(FEATURES_TABLE), copy.version(LABELS_TABLE)] == versions
    same(copy, whole)


def test_the_next_cutoff_needs_its_own_day_only(copy: World) -> None:
    """What was recorded since the last run touches none of the past."""
    copy.add({VITALS: [event(VITALS, NOW + HOUR, heart_rate=60.0)]})
    assert copy.run(NOW + HOUR) == NOTHING
    assert copy.run(NOW + 3 * HOUR)[0] == Done(1, len(copy.features().query("date == @NOW.date()")))


def test_events_that_reach_the_lake_late_are_made_up_for(copy: World, whole: World) -> None:
    """Recorded in time, but stored after the run: the days whose cut-offs see them are computed again, and no others."""
    at = NOW - 40 * HOUR
    copy.add({VITALS: [event(VITALS, at, patient="PTZ0000001", heart_rate=123.0)]})
    done, _ = copy.run()
    assert done.days == (NOW.date() - at.date()).days + 1
    found = copy.features().query("patient_id == 'PTZ0000001'")
    assert set(found["heart_rate_max_24h"]) == {123.0}
    assert found["event_timestamp"].min() >= at and found["event_timestamp"].max() < at + 24 * HOUR
    rest = copy.features().query("patient_id != 'PTZ0000001'").reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, whole.features(), check_exact=True)


def test_late_data_never_changes_an_earlier_cutoff(copy: World, whole: World) -> None:
    """Recorded after the cut-offs: nothing that stands is changed, and nothing is even written."""
    at = NOW - 40 * HOUR
    patients = [whole.features()["patient_id"].iloc[0], "PTZ0000001"]
    for patient in patients:
        copy.add({VITALS: [event(VITALS, at, patient=patient, heart_rate=123.0, recorded=NOW + HOUR),
                           event(VITALS, NOW - HOUR, patient=patient, heart_rate=60.0)],
                  LABS: [event(LABS, at, patient=patient, analyte="alt", value=9999.0, recorded=NOW + HOUR)],
                  DRUGS: [event(DRUGS, at, patient=patient, drug="new", high_risk=True, recorded=NOW + HOUR)]})
    assert copy.run(NOW + 2 * HOUR) == NOTHING
    same(copy, whole)
    copy.run(NOW + 3 * HOUR)
    later = copy.features()
    pd.testing.assert_frame_equal(later[later["event_timestamp"] < NOW].reset_index(drop=True), whole.features(), check_exact=True)
    # It does count from then on.
    assert later.query("patient_id == 'PTZ0000001'")[["alt_latest", "heart_rate_max_24h"]].to_numpy().tolist() == [[9999.0, 60.0]]


def test_a_compaction_changes_nothing(copy: World, whole: World) -> None:
    """Files that were joined are read anew, and their rows are those that were there."""
    for kind in (VITALS, LABS):
        unseen = [event(kind, NOW - 500 * HOUR, recorded=NOW + 900 * HOUR, heart_rate=1.0, analyte="alt", value=1.0, number=number)
                  for number in range(4)]
        copy.add({kind: unseen}, files=4)
        copy.run()
        assert DeltaTable(copy.lake.uri(f"silver/{kind}")).optimize.compact()["numFilesRemoved"] > 1
    assert copy.run() == NOTHING
    same(copy, whole)


def test_a_table_that_was_made_anew_is_read_anew(copy: World, rows: Rows) -> None:
    """What the former one held is forgotten."""
    shutil.rmtree(Path(copy.lake.uri("silver/patient-vitals")))
    some = sorted({row["patient_id"] for row in rows[VITALS]})[:4]
    half = [row for row in rows[VITALS] if row["patient_id"] in some]
    copy.add({VITALS: half})
    copy.run()
    fresh = World(copy.data.parent / "fresh")
    fresh.add({**rows, VITALS: half})
    fresh.run()
    same(copy, fresh)


@pytest.mark.parametrize("lost", ["everything", "state", "days"])
def test_a_lost_folder_is_made_again(copy: World, whole: World, lost: str) -> None:
    """The tables are the same after it."""
    shutil.rmtree(copy.data) if lost == "everything" else None
    (copy.data / "state.json").unlink() if lost == "state" else None
    shutil.rmtree(copy.data / "before") if lost == "days" else None
    done, _ = copy.run()
    assert (done.days > 3) is (lost != "days")
    same(copy, whole)


def test_a_damaged_state_says_what_to_do(copy: World) -> None:
    """And is not silently taken for none."""
    (copy.data / "state.json").write_text("{")
    with pytest.raises(JobError, match="remove it"):
        copy.run()


@pytest.mark.parametrize("place", ["mirror", "features", "labels"])
def test_a_run_that_is_cut_off_is_finished_by_the_next(
        world: World, whole: World, rows: Rows, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Wherever it was killed: after rows were noted, between two days, between features and labels."""
    target, name = {"mirror": (mirror.Days, "save"), "features": (pipeline.Offline, "replace"),
                    "labels": (pipeline, "label_rows")}[place]
    true, calls = getattr(target, name), []

    def killed(*arguments: object) -> object:
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return true(*arguments)

    world.add(rows)
    monkeypatch.setattr(target, name, killed)
    with pytest.raises(KeyboardInterrupt):
        world.run()
    monkeypatch.undo()
    world.run()
    same(world, whole)


def test_other_definitions_are_computed_from_the_beginning(copy: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table must not mix features of two meanings."""
    monkeypatch.setattr(pipeline, "VERSION", "another")
    done, _ = copy.run()
    assert done.rows == len(copy.features())


def test_other_grids_are_computed_from_the_beginning(copy: World) -> None:
    """A finer grid has more cut-offs, in the past too."""
    before = len(copy.features())
    copy.run(step=STEP / 2)
    assert len(copy.features()) > 1.9 * before


def test_times_in_sparks_old_form_are_read_to_the_microsecond(world: World) -> None:
    """Spark writes them as nanoseconds without a zone; they are UTC."""
    at = datetime(2026, 11, 24, 23, 59, 59, 999999, UTC)
    folder = Path(world.lake.uri("silver/patient-vitals"))
    folder.mkdir(parents=True)
    pq.write_table(table(VITALS, [event(VITALS, at, heart_rate=60.0)]), folder / "a.parquet", use_deprecated_int96_timestamps=True)
    with Database() as database:
        (row,) = database.rows(VITALS, read(world.lake, VITALS, ["a.parquet"])).to_pylist()
    assert (moment(row["happened"]), moment(row["known"]), row["heart_rate"]) == (at, at, 60.0)


def test_an_empty_lake_is_no_fault(world: World) -> None:
    """A platform begins with one."""
    assert world.run() == NOTHING
    world.add({ADVERSE: [event(ADVERSE, NOW - HOUR, grade=2, start_time=NOW - HOUR)]})
    assert world.run() == NOTHING


def test_columns_are_all_numbers_or_categories(whole: World) -> None:
    """Nothing that is always null has lost its type on the way."""
    schema = DeltaTable(whole.lake.uri(FEATURES_TABLE)).schema()
    kinds = {field.name: field.type.type for field in schema.fields if field.name in NAMES}
    assert {name for name, kind in kinds.items() if kind == "string"} == {"sex", "trial_arm"}
    assert set(kinds.values()) == {"double", "string"} and set(kinds) == set(NAMES)
    assert DeltaTable(whole.lake.uri(FEATURES_TABLE)).metadata().partition_columns == ["date"]


def test_labels_are_of_both_kinds(whole: World) -> None:
    """Or that they are the same would say little."""
    assert set(whole.labels()["label"]) == {0, 1}


def test_days_are_of_utc(whole: World) -> None:
    """A cut-off of midnight belongs to the day that begins."""
    found = whole.features()
    first = found[found["event_timestamp"].dt.hour == 0].iloc[0]
    assert first["date"] == first["event_timestamp"].date() and isinstance(first["date"], date)


def test_the_same_fault_of_the_store_is_the_same_text() -> None:
    """A lasting fault is logged once, so how long a try took is no part of it."""
    texts = {brief(OSError(f"\x1b[31merror sending request\x1b[0m\n  after {took}: connection refused in {took}, 3 retries"))
             for took in ("1.48ms", "2s", "30.1 s")}
    assert texts == {"error sending request: connection refused, 3 retries"}
