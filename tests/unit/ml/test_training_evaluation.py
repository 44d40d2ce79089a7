"""Rules: every figure is what its name says, by hand on small cases; calibration makes probabilities fit frequencies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from applications.ml.model.risk import RiskModel, probability
from applications.ml.training.evaluation import LEAST_ROWS, bins, calibration_error, evaluate, measure, recall_at
from applications.ml.training.fitting import better, calibrated, candidates, threshold
from applications.ml.training.plots import importances, plots
from applications.ml.training.split import Split, split
from tests.unit.ml.training_frames import labelled


def test_figures_of_four_rows_by_hand() -> None:
    found = measure(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.6, 0.9]), 0.5)
    assert found.auroc == pytest.approx(3 / 4)
    assert found.pr_auc == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    assert found.brier == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert (found.precision, found.recall, found.alerts, found.positives) == (0.5, 0.5, 0.5, 2)


def test_rows_of_one_label_have_no_figures() -> None:
    found = measure(np.zeros(5, dtype=np.int64), np.linspace(0, 1, 5), 0.5)
    assert found.figures() == {"rows": 5, "positives": 0}


def test_nobody_alerted_has_no_precision() -> None:
    found = measure(np.array([0, 1]), np.array([0.1, 0.2]), 0.5)
    assert (found.precision, found.recall, found.alerts) == (None, 0, 0)


def test_the_calibration_error_is_the_distance_from_what_came() -> None:
    labels = np.tile([1, 0, 0, 0], 250)
    assert calibration_error(labels, np.full(1000, 0.25)) == pytest.approx(0.0, abs=1e-9)
    assert calibration_error(labels, np.full(1000, 0.45)) == pytest.approx(0.20, abs=1e-9)


def test_bins_hold_equally_many_rows_and_rise() -> None:
    draw = np.random.default_rng(0)
    found = bins(draw.integers(0, 2, 1005), draw.random(1005))
    predicted, _, shares = zip(*found, strict=True)
    assert len(found) == 10 and list(predicted) == sorted(predicted)
    assert sum(shares) == pytest.approx(1) and max(shares) - min(shares) < 0.002


def test_recall_at_a_precision_and_its_threshold() -> None:
    labels = np.array([1, 0, 1, 0, 0, 1, 0, 0, 0, 0])
    scores = np.linspace(1, 0.1, 10)
    assert recall_at(labels, scores, 0.5) == (1.0, pytest.approx(0.5))
    assert recall_at(labels, scores, 0.9) == (pytest.approx(1 / 3), 1.0)
    assert recall_at(1 - labels, 1 - scores, 1.1) == (0.0, None)


def test_the_threshold_makes_three_of_ten_alerts_right() -> None:
    draw = np.random.default_rng(1)
    scores = draw.random(20000) ** 2
    labels = (draw.random(20000) < scores * 0.5).astype(np.int64)
    found = measure(labels, scores, threshold(labels, scores))
    assert found.precision == pytest.approx(0.3, abs=0.001) and found.recall is not None and found.recall > 0.3


def test_where_no_threshold_is_that_precise_the_best_balance_is_taken() -> None:
    labels = np.array([0, 0, 0, 0, 1] * 40)
    scores = np.linspace(0.1, 0.9, 200) - 0.3 * labels
    assert recall_at(labels, scores, 0.3) == (0.0, None)

    def balance(limit: float) -> float:
        hits = labels[scores >= limit].sum()
        return float(2 * hits / ((scores >= limit).sum() + labels.sum()))
    assert balance(threshold(labels, scores)) == pytest.approx(max(map(balance, scores)))


def test_calibration_mends_probabilities_that_are_off_and_keeps_their_order() -> None:
    draw = np.random.default_rng(2)
    true = draw.normal(-2.5, 1.2, 20000)
    labels = (draw.random(20000) < probability(true)).astype(np.int64)
    off = 2.5 * true + 3
    assert calibration_error(labels, probability(off)) > 0.05
    found = calibrated(off[:10000], labels[:10000])
    assert calibration_error(labels[10000:], probability(found(off[10000:]))) < 0.01
    assert (np.argsort(found(off)) == np.argsort(off)).all()
    assert (found.slope, found.intercept) == (pytest.approx(1 / 2.5, rel=0.1), pytest.approx(-3 / 2.5, rel=0.1))


def test_candidates_are_calibrated_on_patients_they_have_not_seen(models: Mapping[str, RiskModel], parts: Split) -> None:
    for model in models.values():
        found = evaluate(model, parts.test).measured
        assert found.ece is not None and found.ece <= 0.03
        assert found.auroc is not None and found.auroc >= 0.75


def test_the_same_data_and_seed_give_the_same_models(models: Mapping[str, RiskModel], parts: Split) -> None:
    again = candidates(parts, seed=3)
    for kind, model in models.items():
        assert (again[kind].predict(parts.test) == model.predict(parts.test)).all()
        assert again[kind].threshold == model.threshold
    assert (candidates(parts, seed=4)["gbm"].predict(parts.test) != models["gbm"].predict(parts.test)).any()


def test_the_choice_is_made_on_validation_and_not_on_test(models: Mapping[str, RiskModel], parts: Split) -> None:
    on_validation = {kind: evaluate(model, parts.validation).measured.pr_auc or 0.0 for kind, model in models.items()}
    assert better(models, parts.validation).kind == max(on_validation, key=lambda kind: on_validation[kind])


def test_every_subgroup_is_reported_and_a_small_one_not_judged(models: Mapping[str, RiskModel], parts: Split) -> None:
    few = parts.test.copy()
    few.loc[few["patient_id"].isin(few["patient_id"].unique()[:3]), "sex"] = "other"
    few.loc[few.index[:5], "trial_arm"] = None
    found = {(group.attribute, group.group): group for group in evaluate(models["gbm"], few).subgroups}
    assert set(found) == {("sex", "female"), ("sex", "male"), ("sex", "other"), ("trial_arm", "treatment"),
                          ("trial_arm", "control"), ("trial_arm", "unknown")}
    for attribute in ("sex", "trial_arm"):
        assert sum(group.measured.rows for key, group in found.items() if key[0] == attribute) == len(few)
    for group in found.values():
        assert group.judged == (min(group.measured.positives, group.measured.rows - group.measured.positives) >= LEAST_ROWS)
    assert found["sex", "female"].judged and not found["sex", "other"].judged and not found["trial_arm", "unknown"].judged


def test_a_feature_that_is_always_missing_does_no_harm() -> None:
    frame = labelled(patients=200, days=16)
    frame["albumin_latest"] = np.nan
    frame["glucose_change"] = 0.0
    frame = frame.astype({"albumin_latest": object}).assign(sex=None)
    found = candidates(split(frame, seed=3), seed=3)
    parts = split(frame, seed=3)
    for model in found.values():
        assert np.isfinite(model.predict(parts.test)).all()


def test_every_picture_is_drawn(models: Mapping[str, RiskModel], parts: Split) -> None:
    weights = importances(models["gbm"], parts.test)
    assert list(weights.values()) == sorted(weights.values(), reverse=True) and len(weights) == len(models["gbm"].names)
    drawn = dict(plots(evaluate(models["gbm"], parts.test), weights))
    assert set(drawn) == {"precision-recall.png", "roc.png", "calibration.png", "importances.png"}
    assert all(figure.axes[0].has_data() for figure in drawn.values())


def test_frames_without_a_feature_are_refused(models: Mapping[str, RiskModel], parts: Split) -> None:
    with pytest.raises(KeyError, match="heart_rate_mean_6h"):
        models["gbm"].predict(pd.DataFrame(parts.test.drop(columns="heart_rate_mean_6h")))
