"""The registry of features: one name each, and what it promises holds on simulated patients."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from applications.ml.features import registry
from applications.ml.features.__main__ import registry as published
from applications.ml.features.computation import Patients
from tests.unit.ml.features_world import NOW, raw, simulated


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Features of 16 patients at several cut-offs."""
    patients = Patients(raw(simulated(16, 8, vitals_minutes=30)))
    return pd.concat([patients.at(NOW - timedelta(hours=hours)) for hours in (0, 7, 30, 60)])


def test_names_are_those_of_the_contract() -> None:
    """Six vital signs in three windows, twelve laboratory results, medications, context, derived; no name twice."""
    assert len(registry.NAMES) == len(set(registry.NAMES)) == 6 * 5 * 3 + 12 * 3 + 2 + 4 + 3
    assert {"heart_rate_slope_6h", "spo2_min_1h", "albumin_change", "alt_age_days", "medication_count_24h", "trial_arm",
            "shock_index_6h"} <= set(registry.NAMES)


def test_every_feature_has_an_owner_a_unit_and_a_range_or_categories() -> None:
    """What a registry is for."""
    for feature in registry.FEATURES:
        assert feature.owner and feature.unit and feature.description
        if feature.kind == "number":
            assert feature.low is not None and feature.high is not None and feature.low < feature.high and not feature.categories
        else:
            assert feature.low is None and feature.high is None and len(feature.categories) > 1


def test_the_frame_has_the_names_in_their_order(frame: pd.DataFrame) -> None:
    """Besides the patient, nothing else."""
    assert list(frame.columns) == ["patient_id", *registry.NAMES]


def test_every_feature_varies_and_none_is_always_null(frame: pd.DataFrame) -> None:
    """A name in other letters than the event's would make a feature that is constant or null for ever."""
    dead = [name for name in registry.NAMES if frame[name].nunique(dropna=True) < 2]
    assert not dead
    assert frame[list(registry.NAMES)].isna().mean().max() < 0.5


def test_every_value_is_in_its_valid_range(frame: pd.DataFrame) -> None:
    """Serving refuses what is outside of it."""
    for feature in registry.FEATURES:
        values = frame[feature.name].dropna()
        if feature.kind == "number":
            assert values.between(feature.low, feature.high).all(), feature.name
        else:
            assert set(values) <= set(feature.categories), feature.name


def test_derived_features_follow_from_the_means_of_six_hours(frame: pd.DataFrame) -> None:
    """Pulse pressure S - D, mean arterial pressure (S + 2 D) / 3, shock index HR / S."""
    systolic, diastolic, rate = (frame[f"{name}_mean_6h"] for name in ("systolic", "diastolic", "heart_rate"))
    np.testing.assert_allclose(frame["pulse_pressure_6h"], systolic - diastolic)
    np.testing.assert_allclose(frame["mean_arterial_pressure_6h"], diastolic + (systolic - diastolic) / 3)
    np.testing.assert_allclose(frame["shock_index_6h"], rate / systolic)


def test_the_version_changes_with_any_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model must not meet features of another meaning under the same version."""
    first, *rest = registry.FEATURES
    versions = {registry.version(registry.FEATURES), registry.version(rest), registry.version([*rest, first]),
                registry.version([replace(first, unit="1/h"), *rest])}
    monkeypatch.setattr(registry, "REVISION", registry.REVISION + 1)
    versions.add(registry.version(registry.FEATURES))
    assert len(versions) == 5 and registry.VERSION in versions


def test_the_published_registry_has_every_feature() -> None:
    """As JSON: windows in seconds."""
    document = published()
    features = document["features"]
    assert isinstance(features, list)
    assert [feature["name"] for feature in features] == list(registry.NAMES) and document["version"] == registry.VERSION
    assert {feature["window"] for feature in features} == {None, 3600, 6 * 3600, 24 * 3600}
