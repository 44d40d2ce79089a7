"""Drift and the figures of probabilities."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from applications.ml.features.offline import FEATURES_SCHEMA
from applications.ml.features.registry import BY_NAME, FEATURES
from applications.ml.training import evaluation
from applications.monitoring import drift, statistics
from applications.monitoring.champion import Champion
from applications.monitoring.drift import compare
from applications.monitoring.findings import Check, Status
from applications.monitoring.tables import Span
from applications.monitoring.thresholds import thresholds
from tests.unit.monitoring.monitoring_world import NOW, World

LIMITS = thresholds().drift
ROWS = 800


def features(seed: int, shift: float = 0.0, missing: float = 0.0, drifting: int = 4) -> pa.Table:
    """Ten numbers, of which the first few are shifted and miss values, and a category."""
    random = np.random.default_rng(seed)
    columns: dict[str, pa.Array] = {}
    for number in range(10):
        moved = number < drifting
        values = random.normal(shift if moved else 0.0, 1.0, ROWS)
        columns[f"n{number}"] = pa.array(values, mask=random.random(ROWS) < (missing if moved else 0.0))
    columns["colour"] = pa.array(random.choice(["red", "green"], ROWS, p=[0.5, 0.5]))
    return pa.table(columns)


def by_name(checks: list[Check], name: str) -> dict[str, Check]:
    """The checks of a name, by feature."""
    return {check.part: check for check in checks if check.name == name}


def test_samples_of_one_distribution_do_not_drift() -> None:
    """Chance alone calls for nothing."""
    checks = list(compare(features(1), features(2), LIMITS))
    assert by_name(checks, "drifted-share")[""].status is Status.OK and by_name(checks, "drifted-share")[""].value == 0
    assert {check.status for check in checks} == {Status.OK} and len(checks) == 10 * 3 + 2 + 1


@pytest.mark.parametrize("change", [{"shift": 1.0}, {"missing": 0.6}])
def test_many_drifted_features_are_a_failure(change: dict[str, float]) -> None:
    """Whether they moved or went missing; the features are named, and each alone asks for a look only."""
    checks = list(compare(features(1), features(2, **change), LIMITS))
    share = by_name(checks, "drifted-share")[""]
    assert share.status is Status.FAILURE and share.value == pytest.approx(4 / 11, abs=1e-4) and "n0, n1, n2, n3" in share.what
    assert {check.status for check in checks if check.part} == {Status.OK, Status.WARNING}


def test_one_drifted_feature_is_no_failure() -> None:
    """A model of many features stands one of them."""
    checks = list(compare(features(1), features(2, shift=1.0, drifting=1), LIMITS))
    assert by_name(checks, "psi")["n0"].status is Status.WARNING and by_name(checks, "drifted-share")[""].status is Status.OK


def test_features_of_the_calendar_are_reported_only() -> None:
    """Days since enrolment grow whatever happens."""
    names = ["days_since_enrolment", *(f"n{number}" for number in range(1, 10)), "colour"]
    checks = list(compare(features(1).rename_columns(names), features(2, shift=3.0, drifting=1).rename_columns(names), LIMITS))
    assert {check.status for check in checks if check.part == "days_since_enrolment"} == {Status.SKIPPED}
    assert by_name(checks, "drifted-share")[""].value == 0
    assert set(LIMITS.not_judged) <= set(BY_NAME)


def test_too_few_rows_are_not_judged() -> None:
    """And say how many there are."""
    checks = list(compare(features(1), features(2).slice(0, LIMITS.least_rows - 1), LIMITS))
    assert [(check.name, check.status) for check in checks] == [("drifted-share", Status.SKIPPED)]
    assert f"{LIMITS.least_rows - 1} of now" in checks[0].what


def test_a_category_may_drift() -> None:
    """By the shares of its values, new ones too."""
    blue = features(2).drop_columns(["colour"]).append_column("colour", pa.array(["blue"] * ROWS))
    assert by_name(list(compare(features(1), blue, LIMITS)), "psi")["colour"].status is Status.WARNING


def test_the_newest_cut_offs_are_compared_with_the_training_window(world: World) -> None:
    """Rows between both, and those of other cut-offs, play no part; the table is that of feature-engineering."""
    trained = Span(NOW - timedelta(days=12), NOW - timedelta(days=9))
    write(world, trained.begin, 300, 70.0)
    write(world, NOW - timedelta(days=5), 300, 500.0)
    write(world, NOW - timedelta(hours=30), 300, 500.0)
    write(world, NOW - timedelta(hours=3), 300, 70.0)
    report = drift.drift(world.tables, Champion("1", "r", "v", trained), NOW, LIMITS)
    assert report.end - timedelta(microseconds=1) == NOW - timedelta(hours=3)
    found = {check.name: check for check in report.checks if check.part == "heart_rate_mean_24h"}
    assert found["psi"].value is not None and found["psi"].value < 0.1 and found["ks"].status is Status.OK
    assert {check.part for check in report.checks} == {"", *(feature.name for feature in FEATURES)}


def test_without_recent_features_nothing_is_judged(world: World) -> None:
    """A feature-engineering that stands still is no drift, and is said."""
    trained = Span(NOW - timedelta(days=12), NOW - timedelta(days=9))
    write(world, trained.begin, 300, 70.0)
    report = drift.drift(world.tables, Champion("1", "r", "v", trained), NOW, LIMITS)
    assert report.status is Status.SKIPPED and "feature-engineering" in report.checks[0].what


@pytest.mark.parametrize("ties", [False, True])
def test_figures_are_those_of_the_library(ties: bool) -> None:
    """The image has no scikit-learn; ours give its numbers, with ties too."""
    random = np.random.default_rng(5)
    probabilities = random.random(3000)
    probabilities = np.round(probabilities, 1) if ties else probabilities
    labels = (random.random(3000) < probabilities * 0.3).astype(np.int64)
    assert statistics.auroc(labels, probabilities) == pytest.approx(roc_auc_score(labels, probabilities))
    assert statistics.pr_auc(labels, probabilities) == pytest.approx(average_precision_score(labels, probabilities))
    assert statistics.brier(labels, probabilities) == pytest.approx(brier_score_loss(labels, probabilities))
    assert statistics.calibration_error(labels, probabilities) == pytest.approx(evaluation.calibration_error(labels, probabilities))
    assert math.isnan(statistics.auroc(np.zeros(3, np.int64), np.ones(3)))


def test_the_stability_index_has_its_known_values() -> None:
    """Nothing for equal shares; for 50:50 against 80:20 it is 0.3 ln 4."""
    assert statistics.psi(np.arange(100.0), np.arange(100.0), 10) == 0
    found = statistics.psi_of_counts({"a": 50, "b": 50}, {"a": 80, "b": 20})
    assert found == pytest.approx(0.3 * math.log(4))
    assert statistics.psi(np.zeros(50), np.zeros(50), 10) == 0


def write(world: World, cutoff: datetime, patients: int, heart_rate: float) -> None:
    """Features of patients at one cut-off."""
    random = np.random.default_rng(int(cutoff.timestamp()) % 1000)
    rows = [{"patient_id": f"PT{number:08}", "event_timestamp": cutoff, "created_timestamp": cutoff, "date": cutoff.date(),
             "heart_rate_mean_24h": heart_rate + random.normal(), "sex": "female", "trial_arm": "control"}
            for number in range(patients)]
    write_deltalake(world.tables.uri(drift.TABLE), pa.Table.from_pylist(rows, FEATURES_SCHEMA), mode="append",
                    partition_by=["date"])
    assert cutoff.tzinfo is UTC
