"""The registry of features: what each is, where its values may lie, and who answers for it.

Every table, the online store, training and serving take names and order from here. A value that cannot be computed is
null everywhere; only a model's own pipeline fills it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import timedelta
from typing import Literal

from applications.clinical.terminology import ANALYTES, Analyte, Kind, Sex

OWNER = "feature-engineering"
REVISION = 1
"""Raised when the computation of a feature changes although its definition reads as before."""

WINDOWS: Mapping[str, timedelta] = {"1h": timedelta(hours=1), "6h": timedelta(hours=6), "24h": timedelta(hours=24)}
LONGEST_WINDOW = max(WINDOWS.values())
THINNED_TO = timedelta(minutes=15)
"""Of the measurements of a vital sign in such a stretch of time only the latest counts."""
SHORTEST_SLOPE = THINNED_TO
"""Measurements closer together than this show noise and no slope."""
STATISTICS = ("mean", "std", "min", "max", "slope")

HORIZON = timedelta(hours=24)
LEAST_GRADE = 2
"""What is to be predicted: whether an adverse event of this grade or above begins in (cut-off, cut-off + HORIZON]."""

VITALS: tuple[Analyte, ...] = tuple(analyte for analyte in ANALYTES if analyte.kind is Kind.VITAL)
LABS: tuple[Analyte, ...] = tuple(analyte for analyte in ANALYTES if analyte.kind is Kind.LAB)
LONGEST_DAYS = 3660.0


@dataclass(frozen=True)
class Feature:
    """One feature. `window` is the time before the cut-off that it looks at, None for what holds since enrolment.

    `low` and `high` bound its valid values in `unit`; a category has its `categories` instead.
    """

    name: str
    kind: Literal["number", "category"]
    unit: str
    window: timedelta | None
    low: float | None
    high: float | None
    owner: str
    description: str
    categories: tuple[str, ...] = ()


def _number(name: str, unit: str, window: timedelta | None, low: float, high: float, description: str) -> Feature:
    return Feature(name, "number", unit, window, low, high, OWNER, description)


def _category(name: str, categories: tuple[str, ...], description: str) -> Feature:
    return Feature(name, "category", "1", None, None, None, OWNER, description, categories)


def _of_vital(vital: Analyte, window: str) -> Iterator[Feature]:
    low, high, length = vital.possible.low, vital.possible.high, WINDOWS[window]
    width = high - low
    steepest = 2 * width / (SHORTEST_SLOPE / timedelta(hours=1))
    of = f"{vital.name} over the {window} before the cut-off"
    yield _number(f"{vital.column}_mean_{window}", vital.unit, length, low, high, f"mean of {of}")
    yield _number(f"{vital.column}_std_{window}", vital.unit, length, 0, width,
                  f"sample standard deviation of {of}; two values at least")
    yield _number(f"{vital.column}_min_{window}", vital.unit, length, low, high, f"least {of}")
    yield _number(f"{vital.column}_max_{window}", vital.unit, length, low, high, f"greatest {of}")
    yield _number(f"{vital.column}_slope_{window}", f"{vital.unit}/h", length, -steepest, steepest,
                  f"least-squares slope of {of}; values at least 15 minutes apart")


def _of_lab(lab: Analyte) -> Iterator[Feature]:
    low, high = lab.possible.low, lab.possible.high
    yield _number(f"{lab.column}_latest", lab.unit, None, low, high, f"latest {lab.name}, by the time of the sample")
    yield _number(f"{lab.column}_change", lab.unit, None, low - high, high - low,
                  f"latest {lab.name} minus the patient's baseline, which is the first one that was known")
    yield _number(f"{lab.column}_age_days", "d", None, 0, LONGEST_DAYS,
                  f"days from the sample of the latest {lab.name} to the cut-off")


def _all() -> Iterator[Feature]:
    for window in WINDOWS:
        for vital in VITALS:
            yield from _of_vital(vital, window)
    for lab in LABS:
        yield from _of_lab(lab)
    day, six = WINDOWS["24h"], WINDOWS["6h"]
    yield _number("medication_count_24h", "1", day, 0, 100, "distinct drugs given in the 24h before the cut-off")
    yield _number("high_risk_medication_24h", "1", day, 0, 1,
                  "1 when a high-risk drug was given in the 24h before the cut-off, else 0")
    yield _number("age", "a", None, 18, 120, "age in years, as last recorded")
    yield _category("sex", tuple(sex.value for sex in Sex), "administrative sex, as last recorded")
    yield _category("trial_arm", ("treatment", "control"), "arm of the trial")
    yield _number("days_since_enrolment", "d", None, 0, LONGEST_DAYS, "days from the first moment (UTC) of the day of enrolment")
    yield _number("pulse_pressure_6h", "mm[Hg]", six, 0, 375, "systolic minus diastolic pressure, of their means over 6h")
    yield _number("mean_arterial_pressure_6h", "mm[Hg]", six, 0, 375,
                  "a third of systolic and two of diastolic pressure, of their means over 6h")
    yield _number("shock_index_6h", "1", six, 0, 50, "heart rate by systolic pressure, of their means over 6h")


FEATURES: tuple[Feature, ...] = tuple(_all())
NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
BY_NAME: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}
CATEGORIES: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.kind == "category")


def version(features: Sequence[Feature]) -> str:
    """A text that changes with every definition, their order, and REVISION."""
    return f"{REVISION}-{hashlib.sha256(repr([astuple(feature) for feature in features]).encode()).hexdigest()[:12]}"


VERSION: str = version(FEATURES)
"""Of the features here: a model refuses others than it has learned from."""
