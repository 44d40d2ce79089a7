"""Statistics of the values that each patient has in one window, for all patients at a time.

Sums are made patient by patient in the order of the values, so that a patient's features are the same to the last digit
whoever else is computed along.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from applications.ml.features.registry import SHORTEST_SLOPE

Whole = NDArray[np.int64]
Real = NDArray[np.float64]
SHORTEST_HOURS = SHORTEST_SLOPE / timedelta(hours=1)


def ends(*keys: NDArray[Any]) -> Whole:
    """Where runs of equal keys end: the index of each run's last row."""
    if not len(keys[0]):
        return np.empty(0, dtype=np.int64)
    changes = np.zeros(len(keys[0]) - 1, dtype=bool)
    for key in keys:
        changes |= key[1:] != key[:-1]
    return np.append(np.flatnonzero(changes), len(keys[0]) - 1)


def statistics(patient: Whole, hours: Real, value: Real, patients: int) -> dict[str, Real]:
    """Mean, sample standard deviation, minimum, maximum and least-squares slope (per hour) of each patient's values.

    The three arrays are rows in the order of patients (numbers from 0) and times; each result has `patients` values, NaN
    where too few rows stand for one: none; for a deviation fewer than two; for a slope fewer than two, or all within
    less than SHORTEST_SLOPE.
    """
    found = {name: np.full(patients, np.nan) for name in ("mean", "std", "min", "max", "slope")}
    last = ends(patient)
    if not len(last):
        return found
    first = np.append(0, last[:-1] + 1)
    count, who = last - first + 1, patient[last]
    each = np.repeat(np.arange(len(last)), count)
    mean = np.add.reduceat(value, first) / count
    from_mean = value - mean[each]
    from_middle = hours - (np.add.reduceat(hours, first) / count)[each]
    several, long = count > 1, hours[last] - hours[first] >= SHORTEST_HOURS
    with np.errstate(divide="ignore", invalid="ignore"):
        std = np.sqrt(np.add.reduceat(from_mean**2, first) / (count - 1))
        slope = np.add.reduceat(from_middle * from_mean, first) / np.add.reduceat(from_middle**2, first)
    found["mean"][who] = mean
    found["std"][who] = np.where(several, std, np.nan)
    found["min"][who] = np.minimum.reduceat(value, first)
    found["max"][who] = np.maximum.reduceat(value, first)
    found["slope"][who] = np.where(long, slope, np.nan)
    return found
