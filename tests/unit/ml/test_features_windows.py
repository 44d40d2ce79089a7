"""Statistics of a window: each is what its name says, patient by patient, and null where too few values stand for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from applications.ml.features.windows import ends, statistics

PATIENTS = 4
READING = st.tuples(st.integers(0, PATIENTS - 1), st.integers(0, 96), st.floats(-500, 500))


@given(st.lists(READING, max_size=60))
@settings(deadline=None, max_examples=150)
def test_each_statistic_is_that_of_numpy(readings: list[tuple[int, int, float]]) -> None:
    """The slope is the one of numpy.polyfit, the deviation that of a sample; with too few values all are null."""
    rows = sorted({(patient, quarter): value for patient, quarter, value in readings}.items())
    patient = np.array([key[0] for key, _ in rows], dtype=np.int64)
    hours = np.array([key[1] / 4 - 24 for key, _ in rows], dtype=np.float64)
    value = np.array([value for _, value in rows], dtype=np.float64)
    found = statistics(patient, hours, value, PATIENTS)
    for one in range(PATIENTS):
        x, y = hours[patient == one], value[patient == one]
        expected = {"mean": y.mean() if len(y) else np.nan, "min": y.min(initial=np.inf) if len(y) else np.nan,
                    "max": y.max(initial=-np.inf) if len(y) else np.nan, "std": y.std(ddof=1) if len(y) > 1 else np.nan,
                    "slope": np.polyfit(x, y, 1)[0] if len(y) > 1 else np.nan}
        for name, right in expected.items():
            assert found[name][one] == pytest.approx(right, rel=1e-7, abs=1e-7, nan_ok=True), name


def test_a_patient_has_the_same_digits_whoever_is_computed_along() -> None:
    """Or a comparison of values would have to be a comparison of nearly the same values."""
    draw = np.random.default_rng(3)
    patient = np.sort(draw.integers(0, 50, 3000))
    hours, value = draw.uniform(-24, 0, 3000), draw.normal(80, 10, 3000)
    hours = hours[np.lexsort((hours, patient))]
    together = statistics(patient, hours, value, 50)
    for one in range(50):
        mine = patient == one
        alone = statistics(np.zeros(mine.sum(), dtype=np.int64), hours[mine], value[mine], 1)
        assert {name: alone[name][0] for name in alone} == {name: together[name][one] for name in together}


@pytest.mark.parametrize(("minutes", "there"), [(14.9, False), (15, True)])
def test_values_too_close_together_have_no_slope(minutes: float, there: bool) -> None:
    """Two values a second apart would be thousands an hour."""
    hours = np.array([-minutes / 60, 0.0])
    slope = statistics(np.zeros(2, dtype=np.int64), hours, np.array([1.0, 2.0]), 1)["slope"][0]
    assert (not np.isnan(slope)) is there


def test_runs_end_where_any_key_changes() -> None:
    """And there is none in nothing."""
    assert ends(np.array([1, 1, 1, 2]), np.array([5, 5, 6, 6])).tolist() == [1, 2, 3]
    assert ends(np.array([], dtype=np.int64)).tolist() == []
