"""Leaving rows out: no feature at any cut-off that may be asked for depends on it, however the rows came."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from applications.clinical.models import EventType
from applications.ml.features.computation import Patients
from applications.ml.features.rows import Cuts, Database
from tests.unit.ml.features_world import ADVERSE, DRUGS, FACTS, LABS, STEP, VITALS, Row, event, raw

DAY = datetime(2026, 11, 24, tzinfo=UTC)
AS_OF = DAY + timedelta(hours=13, minutes=7)
CUTS = Cuts(STEP, AS_OF)
KINDS = (VITALS, LABS, DRUGS, FACTS)
MORE: dict[EventType, list[Row]] = {
    VITALS: [{"heart_rate": 60.0, "spo2": 97.0}, {"heart_rate": 90.0}, {"spo2": 91.0, "systolic": 100.0}],
    LABS: [{"analyte": "alt", "value": 20.0}, {"analyte": "alt", "value": 80.0}, {"analyte": "sodium", "value": 140.0}],
    DRUGS: [{"drug": "a", "high_risk": False}, {"drug": "b", "high_risk": True}],
    FACTS: [{"age": 50, "sex": "male", "trial_arm": "control"}, {"age": 51, "sex": "male", "trial_arm": "treatment"}]}
MINUTES = timedelta(minutes=1)
EVENT = st.tuples(st.sampled_from(KINDS), st.integers(0, 2), st.integers(-30 * 60, 20 * 60), st.sampled_from([0, 1, 7, 400, 2000]),
                  st.sampled_from(["PTA0000001", "PTA0000002"]))


def as_rows(events: list[tuple[EventType, int, int, int, str]]) -> dict[EventType, list[Row]]:
    """Rows of events that are drawn: minutes from the day's beginning, and how late they were recorded."""
    found: dict[EventType, list[Row]] = {kind: [] for kind in KINDS}
    for number, (kind, which, minute, late, patient) in enumerate(events):
        at = DAY + minute * MINUTES
        found[kind].append(event(kind, at, patient=patient, recorded=at + late * MINUTES, number=number,
                                 **MORE[kind][which % len(MORE[kind])]))
    return found


@given(st.lists(EVENT, min_size=1, max_size=80), st.integers(0, 80))
@settings(deadline=None, max_examples=25)
def test_features_are_those_of_all_rows(events: list[tuple[EventType, int, int, int, str]], split: int) -> None:
    """At the grid's cut-offs and now; read at once or in two parts at two times, some rows twice."""
    rows = raw(as_rows(events))
    early = replace(CUTS, as_of=DAY + timedelta(hours=8))
    with Database() as database:
        once = {kind: database.reduced(kind, CUTS, rows[kind]) for kind in KINDS}
        first = {kind: database.reduced(kind, early, rows[kind][:split]) for kind in KINDS}
        again = {kind: database.reduced(kind, CUTS, pa.concat_tables([first[kind], rows[kind][split // 2:]])) for kind in KINDS}
    patients = [Patients(some) for some in (rows, once, again)]
    for cutoff in (DAY, DAY + STEP, DAY + 2 * STEP, AS_OF):
        expected, *found = (some.at(cutoff) for some in patients)
        for frame in found:
            pd.testing.assert_frame_equal(frame, expected, check_exact=True)


@given(st.lists(EVENT, min_size=1, max_size=60))
@settings(deadline=None, max_examples=12)
def test_the_past_is_settled(events: list[tuple[EventType, int, int, int, str]]) -> None:
    """What only cut-offs before `settled` could tell apart is one."""
    rows = raw(as_rows(events))
    with Database() as database:
        settled = {kind: database.reduced(kind, replace(CUTS, settled=DAY + STEP), rows[kind]) for kind in KINDS}
        assert all(len(settled[kind]) <= len(database.reduced(kind, CUTS, rows[kind])) for kind in KINDS)
    for cutoff in (DAY + STEP, DAY + 2 * STEP, AS_OF):
        pd.testing.assert_frame_equal(Patients(settled).at(cutoff), Patients(rows).at(cutoff), check_exact=True)


def test_a_monitor_leaves_one_row_a_quarter_of_an_hour() -> None:
    """Four times a minute for three hours are 720 sets, of which 12 stay."""
    sets = [event(VITALS, DAY + number * timedelta(seconds=15), number=number, heart_rate=60.0) for number in range(1, 721)]
    with Database() as database:
        assert len(database.reduced(VITALS, CUTS, raw({VITALS: sets})[VITALS])) == 12


def test_what_is_not_known_yet_is_not_mixed_with_what_is() -> None:
    """A clock that is ahead: the row is kept beside the one that counts now."""
    now, ahead = AS_OF - MINUTES, AS_OF + 2 * MINUTES
    rows = raw({VITALS: [event(VITALS, now, heart_rate=60.0), event(VITALS, ahead, heart_rate=99.0)]})
    with Database() as database:
        found = Patients({**rows, VITALS: database.reduced(VITALS, CUTS, rows[VITALS])})
    assert found.at(AS_OF)["heart_rate_mean_1h"].tolist() == [60.0]


@pytest.mark.parametrize(("kind", "more", "since"), [
    (VITALS, {"heart_rate": 60.0}, DAY + timedelta(hours=9)), (LABS, {"analyte": "alt", "value": 1.0}, DAY + timedelta(hours=9)),
    (ADVERSE, {"grade": 2, "start_time": DAY}, DAY - timedelta(hours=24)), (ADVERSE, {"grade": 1, "start_time": DAY}, None)])
def test_a_change_is_told_by_what_sees_it_first(kind: EventType, more: Row, since: datetime | None) -> None:
    """Features see an event once it is known; a label a day before it begins, and mild ones never."""
    rows = raw({kind: [event(kind, DAY, recorded=DAY + timedelta(hours=9), **more)]})[kind]
    with Database() as database:
        assert database.touched(kind, rows[:0], rows) == database.touched(kind, rows, rows[:0]) == since
        assert database.touched(kind, rows, rows) is None
