"""The pictures of an evaluation: precision and recall, ROC, calibration, importances."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from applications.ml.model.risk import RiskModel
from applications.ml.training.evaluation import Evaluation, bins

SHOWN = 20
SAMPLE = 1000
"""Rows of which importances are taken: contributions of every row would take longer than the training."""


def plots(found: Evaluation, importances: dict[str, float]) -> Iterator[tuple[str, Figure]]:
    """Every picture with its file's name."""
    yield "precision-recall.png", _precision_recall(found)
    yield "roc.png", _roc(found)
    yield "calibration.png", _calibration(found)
    yield "importances.png", _importances(importances)


def importances(model: RiskModel, frame: pd.DataFrame) -> dict[str, float]:
    """The mean size of each feature's contribution (log-odds) over rows that are spread evenly over a frame, largest first."""
    step = max(1, len(frame) // SAMPLE)
    sizes = model.contributions(frame.iloc[::step]).abs().mean().sort_values(ascending=False, kind="stable")
    return {str(name): float(size) for name, size in sizes.items()}


def _axes(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes


def _precision_recall(found: Evaluation) -> Figure:
    figure, axes = _axes(f"PR-AUC {found.measured.pr_auc:.3f}", "recall", "precision")
    precisions, recalls, _ = precision_recall_curve(found.labels, found.probabilities)
    axes.plot(recalls, precisions)
    axes.axhline(float(found.labels.mean()), linestyle=":", color="grey", label="share of positives")
    axes.legend()
    return figure


def _roc(found: Evaluation) -> Figure:
    figure, axes = _axes(f"AUROC {found.measured.auroc:.3f}", "false positive rate", "true positive rate")
    false, true, _ = roc_curve(found.labels, found.probabilities)
    axes.plot(false, true)
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    return figure


def _calibration(found: Evaluation) -> Figure:
    figure, axes = _axes(f"Calibration error {found.measured.ece:.3f}", "predicted probability", "share of positives")
    predicted, seen, _ = zip(*bins(found.labels, found.probabilities), strict=True)
    axes.plot(predicted, seen, marker="o")
    top = max(*predicted, *seen)
    axes.plot([0, top], [0, top], linestyle=":", color="grey")
    return figure


def _importances(importances: dict[str, float]) -> Figure:
    figure, axes = _axes("What moves the prediction", "mean size of the contribution (log-odds)", "")
    shown = list(importances.items())[:SHOWN][::-1]
    axes.barh(np.arange(len(shown)), [size for _, size in shown], tick_label=[name for name, _ in shown])
    axes.tick_params(axis="y", labelsize=8)
    return figure
