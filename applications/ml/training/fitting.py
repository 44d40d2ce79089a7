"""Fits the candidates: estimators on the training part; calibration, threshold and the choice between them on validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, precision_recall_curve

from applications.ml.features import registry
from applications.ml.model.encoding import ENCODING, Matrix
from applications.ml.model.estimators import Estimator, Gbm, Logistic, Vector
from applications.ml.model.risk import Calibration, RiskModel, probability
from applications.ml.training.evaluation import PRECISION, Labels, labels_of, recall_at
from applications.ml.training.split import Split

STRENGTH = 0.003
"""Inverse of the logistic's L2 penalty."""
ROUNDS, PATIENCE = 600, 40
TREES: Mapping[str, Any] = {
    # Few leaves: what there is to learn is mostly additive, and there are few positives to learn interactions from.
    "objective": "binary", "metric": "binary_logloss", "learning_rate": 0.03, "num_leaves": 4, "min_data_in_leaf": 100,
    "lambda_l2": 10.0, "feature_fraction": 0.2, "bagging_fraction": 0.7, "bagging_freq": 1,
    # The same data and seed give the same trees, whatever machine has how many cores.
    "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbose": -1}


def candidates(parts: Split, seed: int) -> dict[str, RiskModel]:
    """A calibrated model of each kind, with its threshold."""
    train, validation = ENCODING.frame(parts.train), ENCODING.frame(parts.validation)
    learned, checked = labels_of(parts.train), labels_of(parts.validation)
    fitted: Mapping[str, Callable[[], Estimator]] = {
        Logistic.kind: lambda: logistic(train, learned),
        Gbm.kind: lambda: gbm(train, learned, validation, checked, seed)}
    return {kind: _finished(fit(), validation, checked) for kind, fit in fitted.items()}


def better(models: Mapping[str, RiskModel], validation: pd.DataFrame) -> RiskModel:
    """The model with the best PR-AUC on validation; of two equals the first."""
    labels = labels_of(validation)
    return max(models.values(), key=lambda model: float(average_precision_score(labels, model.predict(validation))))


def logistic(matrix: Matrix, labels: Labels) -> Logistic:
    """The baseline. Missing values are the mean, which is 0 once standardised."""
    seen = ~np.isnan(matrix)
    counts = np.maximum(seen.sum(axis=0), 1)
    means = np.where(seen, matrix, 0.0).sum(axis=0) / counts
    variances = np.where(seen, (matrix - means) ** 2, 0.0).sum(axis=0) / counts
    scales = np.sqrt(np.where(variances > 0, variances, 1.0))
    standard = np.nan_to_num((matrix - means) / scales, nan=0.0)
    found = LogisticRegression(C=STRENGTH, max_iter=1000).fit(standard, labels)
    return Logistic(means, scales, found.coef_[0].astype(np.float64), float(found.intercept_[0]))


def gbm(matrix: Matrix, labels: Labels, validation: Matrix, checked: Labels, seed: int) -> Gbm:
    """The trees, as many as help on validation."""
    learn = lightgbm.Dataset(matrix, labels, free_raw_data=True)
    check = lightgbm.Dataset(validation, checked, reference=learn)
    booster = lightgbm.train({**TREES, "seed": seed}, learn, ROUNDS, valid_sets=[check],
                             callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)])
    return Gbm(booster.model_to_string(num_iteration=booster.best_iteration))


def calibrated(log_odds: Vector, labels: Labels) -> Calibration:
    """The line (Platt's sigmoid) that makes log-odds fit the labels best. It takes few rows and keeps the order, which steps
    (isotonic regression) would not."""
    found = LogisticRegression(C=1e6, max_iter=1000).fit(log_odds[:, None], labels)
    return Calibration(float(found.coef_[0, 0]), float(found.intercept_[0]))


def threshold(labels: Labels, probabilities: Vector) -> float:
    """The lowest probability at which 30 % of the alerts are right; where none is, the one with the best F1."""
    _, found = recall_at(labels, probabilities, PRECISION)
    if found is not None:
        return found
    precisions, recalls, thresholds = precision_recall_curve(labels, probabilities)
    score = precisions[:-1] * recalls[:-1] / np.maximum(precisions[:-1] + recalls[:-1], 1e-12)
    return float(thresholds[np.argmax(score)])


def _finished(estimator: Estimator, validation: Matrix, labels: Labels) -> RiskModel:
    log_odds = estimator.log_odds(validation)
    calibration = calibrated(log_odds, labels)
    chosen = threshold(labels, probability(calibration(log_odds)))
    return RiskModel(registry.VERSION, ENCODING, estimator, calibration, chosen)
