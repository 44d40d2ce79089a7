"""Point in time: features at t see what had happened and was recorded by t, in windows (t - w, t], and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from applications.clinical.models import EventType
from applications.ml.features.computation import Patients
from applications.ml.features.registry import NAMES
from applications.ml.features.rows import micros
from tests.unit.ml.features_world import ADVERSE, DRUGS, FACTS, LABS, NOW, VITALS, Row, event, raw, simulated

Rows = dict[EventType, list[Row]]
Compute = Callable[[Rows, datetime], pd.DataFrame]
T = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def computed(rows: Rows, cutoff: datetime) -> pd.DataFrame:
    """The features, by patient."""
    return Patients(raw(rows)).at(cutoff).set_index("patient_id")


def leaking(rows: Rows, cutoff: datetime) -> pd.DataFrame:
    """As it must not be: what happened by the cut-off counts although it was recorded later."""
    tables = {kind: table.set_column(table.schema.get_field_index("known"), "known", table["happened"])
              for kind, table in raw(rows).items()}
    return Patients(tables).at(cutoff).set_index("patient_id")


def leaking_ahead(rows: Rows, cutoff: datetime) -> pd.DataFrame:
    """As it must not be either: a join without time, that sees an hour of the future."""
    return computed(rows, cutoff + HOUR)


def changed_by_the_future(compute: Compute, rows: Rows, cutoff: datetime) -> set[str]:
    """The features at a cut-off that are others once all that was known later is left out, or is other than it was."""
    later = micros(cutoff)

    def known(row: Row) -> bool:
        return max(micros(row["event_time"]), micros(row["recorded_time"])) <= later

    def other(row: Row) -> Row:
        return row if known(row) else {name: 1.5 * value if isinstance(value, float) else value for name, value in row.items()}

    base = compute(rows, cutoff)
    found: set[str] = set()
    for changed in ({kind: [row for row in some if known(row)] for kind, some in rows.items()},
                    {kind: [other(row) for row in some] for kind, some in rows.items()}):
        frame = compute(changed, cutoff).reindex(base.index)
        found |= {name for name in NAMES if not frame[name].equals(base[name])}
    return found


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Simulated patients; every tenth event was recorded up to two days late."""
    found, draw = simulated(8, 4, vitals_minutes=40), np.random.default_rng(1)
    return {kind: [{**row, "recorded_time": row["event_time"] + draw.uniform(0, 48) * HOUR} if draw.random() < 0.1 else row
                   for row in some] for kind, some in found.items()}


@pytest.mark.parametrize("hours", [0, 5.37, 9.5, 24, 40])
def test_nothing_later_ever_changes_a_feature(rows: Rows, hours: float) -> None:
    """Whatever is known after a cut-off may be there, be missing, or be something else."""
    assert changed_by_the_future(computed, rows, NOW - hours * HOUR) == set()


@pytest.mark.parametrize("compute", [leaking, leaking_ahead])
def test_a_leak_would_be_caught(rows: Rows, compute: Compute) -> None:
    """The test above is none that passes whatever is computed: it finds leaks in every kind of feature."""
    caught = changed_by_the_future(compute, rows, NOW - 24 * HOUR)
    assert {"heart_rate_mean_24h", "systolic_max_24h", "spo2_slope_24h", "shock_index_6h"} <= caught
    assert compute is leaking_ahead or any(name.endswith("_latest") for name in caught)


def vitals(at: datetime, rate: float, **more: Any) -> Row:
    return event(VITALS, at, heart_rate=rate, **more)


def rates(*found: Row, cutoff: datetime = T, name: str = "heart_rate_mean_24h") -> Any:
    return computed({VITALS: list(found)}, cutoff)[name].tolist()


def test_late_data_counts_from_when_it_was_recorded() -> None:
    """Not from when it happened."""
    late = vitals(T - 2 * HOUR, 100.0, recorded=T + MINUTE, number=1)
    there = vitals(T - 3 * HOUR, 60.0)
    assert rates(there, late) == [60.0]
    assert rates(there, late, cutoff=T + MINUTE) == [80.0]


def test_an_event_of_the_cutoffs_own_moment_counts() -> None:
    """Windows are open at their beginning and closed at their end."""
    assert rates(vitals(T, 70.0), name="heart_rate_mean_1h") == [70.0]
    assert rates(vitals(T + timedelta(microseconds=1), 70.0)) == []
    edge = [vitals(T - HOUR, 50.0), vitals(T - HOUR + timedelta(microseconds=1), 90.0, number=1)]
    assert rates(*edge, name="heart_rate_mean_1h") == [90.0]
    assert rates(vitals(T - DAY, 50.0)) == [] and rates(vitals(T - DAY + timedelta(microseconds=1), 50.0)) == [50.0]


def test_windows_reach_over_midnight() -> None:
    """A day's first cut-off sees the day before, and its own first moment."""
    midnight = T.replace(hour=0)
    found = [vitals(midnight - 5 * HOUR, 50.0), vitals(midnight - 20 * MINUTE, 60.0), vitals(midnight, 100.0)]
    assert rates(*found, cutoff=midnight, name="heart_rate_mean_1h") == [80.0]
    assert rates(*found, cutoff=midnight, name="heart_rate_mean_6h") == [70.0]


def test_only_the_latest_of_a_quarter_of_an_hour_counts() -> None:
    """A monitor that sends every few seconds must not outweigh one that sends every hour; ties go by event_id."""
    burst = [vitals(T - 15 * MINUTE + number * SECOND, 200.0, number=number) for number in range(1, 60)]
    quiet = [vitals(T - 3 * HOUR, 60.0), vitals(T - 10 * MINUTE, 80.0)]
    assert rates(*burst, *quiet) == [70.0]
    assert rates(*burst, *quiet, name="heart_rate_max_24h") == [80.0]
    twice = [vitals(T - 10 * MINUTE, 1.0, number=1), vitals(T - 10 * MINUTE, 2.0, number=2)]
    assert rates(*twice) == rates(*reversed(twice)) == [2.0]
    # A quarter ends with its last moment and belongs to it.
    assert rates(vitals(T - 15 * MINUTE, 10.0), vitals(T, 30.0)) == [20.0]


def test_each_vital_sign_is_thinned_for_itself() -> None:
    """A set without a value does not hide an earlier one."""
    found = [vitals(T - 5 * MINUTE, 60.0, spo2=91.0), event(VITALS, T - 2 * MINUTE, spo2=95.0)]
    frame = computed({VITALS: found}, T)
    assert (frame["heart_rate_mean_1h"].item(), frame["spo2_mean_1h"].item()) == (60.0, 95.0)


def test_what_is_missing_is_null_and_never_filled() -> None:
    """One value has a mean and neither deviation nor slope; what was never measured has nothing."""
    frame = computed({VITALS: [vitals(T - HOUR / 2, 60.0)]}, T)
    row = frame.iloc[0]
    assert row["heart_rate_mean_24h"] == row["heart_rate_min_1h"] == row["heart_rate_max_6h"] == 60.0
    assert frame[["heart_rate_std_24h", "heart_rate_slope_24h", "spo2_mean_24h", "pulse_pressure_6h", "albumin_latest",
                  "albumin_change", "albumin_age_days", "age", "days_since_enrolment", "sex", "trial_arm"]].isna().all().all()
    assert row["sex"] is None
    # That nothing was given is known, and no missing value.
    assert (row["medication_count_24h"], row["high_risk_medication_24h"]) == (0, 0)


def test_a_shock_index_without_pressure_is_null() -> None:
    """And not infinite."""
    frame = computed({VITALS: [vitals(T - HOUR, 60.0, systolic=0.0, diastolic=0.0)]}, T)
    assert np.isnan(frame["shock_index_6h"].item())


def test_laboratory_results_have_their_latest_change_and_age() -> None:
    """The latest by the time of the sample; the baseline by when it was known first."""
    def lab(at: datetime, value: float, **more: Any) -> Row:
        return event(LABS, at, analyte="alt", value=value, **more)

    found = [lab(T - 9 * DAY, 30.0, recorded=T - 6 * DAY), lab(T - 8 * DAY, 20.0), lab(T - 12 * HOUR, 50.0),
             lab(T - 10 * HOUR, 70.0, recorded=T + HOUR)]
    frame = computed({LABS: found}, T)
    assert frame[["alt_latest", "alt_change", "alt_age_days"]].iloc[0].tolist() == [50.0, 30.0, 0.5]
    frame = computed({LABS: found}, T + 2 * HOUR)
    assert frame[["alt_latest", "alt_change", "alt_age_days"]].iloc[0].tolist() == [70.0, 50.0, 0.5]
    # With one result there is no change yet.
    assert computed({LABS: found[:1]}, T).empty
    assert computed({LABS: [lab(T - HOUR, 5.0)]}, T)["alt_change"].item() == 0.0


def test_medications_are_counted_by_drug() -> None:
    """Two doses of one drug are one; what was given more than a day ago is over."""
    def given(at: datetime, drug: str, risk: bool = False, number: int = 0) -> Row:
        return event(DRUGS, at, drug=drug, high_risk=risk, number=number)

    found = [given(T - HOUR, "a"), given(T - 2 * HOUR, "a"), given(T - HOUR, "b", number=1), given(T - 25 * HOUR, "c", True)]
    frame = computed({VITALS: [vitals(T - HOUR, 60.0)], DRUGS: found}, T)
    assert frame[["medication_count_24h", "high_risk_medication_24h"]].iloc[0].tolist() == [2, 0]
    frame = computed({VITALS: [vitals(T - HOUR, 60.0)], DRUGS: found}, T - 2 * HOUR + MINUTE)
    assert frame.empty
    frame = computed({VITALS: [vitals(T - 26 * HOUR, 60.0)], DRUGS: found}, T - 3 * HOUR)
    assert frame[["medication_count_24h", "high_risk_medication_24h"]].iloc[0].tolist() == [1, 1]


def test_context_is_what_was_last_recorded() -> None:
    """Age, sex, arm; and days since the first moment of the day of enrolment."""
    def facts(at: datetime, age: int, **more: Any) -> Row:
        return event(FACTS, at, age=age, sex="female", trial_arm="control", enrolment_date=(T - 10 * DAY).date(), **more)

    found = [facts(T - 9 * DAY, 50), facts(T - 2 * DAY, 51), facts(T - DAY, 52, recorded=T + HOUR)]
    row = computed({VITALS: [vitals(T - HOUR, 60.0)], FACTS: found}, T).iloc[0]
    assert (row["age"], row["sex"], row["trial_arm"], row["days_since_enrolment"]) == (51, "female", "control", 10.5)


def test_only_patients_active_in_the_last_day_have_features() -> None:
    """A vital sign or a laboratory result; an administration alone does not make one active."""
    found: Rows = {
        VITALS: [vitals(T - HOUR, 60.0, patient="PTA0000001"), vitals(T - 25 * HOUR, 60.0, patient="PTA0000002")],
        LABS: [event(LABS, T - HOUR, analyte="alt", value=3.0, patient="PTA0000003")],
        DRUGS: [event(DRUGS, T - HOUR, drug="a", high_risk=False, patient="PTA0000004")], ADVERSE: []}
    assert list(computed(found, T).index) == ["PTA0000001", "PTA0000003"]
