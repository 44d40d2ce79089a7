"""How good a model is on rows that it has not seen, as a whole and for each subgroup."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score, brier_score_loss, precision_recall_curve, roc_auc_score

from applications.ml.model.estimators import Vector
from applications.ml.model.risk import RiskModel
from applications.ml.training.split import LABEL

Labels = npt.NDArray[np.int64]

PRECISION = 0.3
"""The precision at which recall is reported, and which the threshold aims at."""
BINS = 10
SUBGROUPS = ("sex", "trial_arm")
LEAST_ROWS = 30
"""A subgroup with fewer positives or fewer negatives is reported and not judged: its figures say little."""


@dataclass(frozen=True)
class Measured:
    """Figures of a model on a set of rows; None where they cannot be had, of rows with one label only."""

    rows: int
    positives: int
    pr_auc: float | None
    auroc: float | None
    brier: float | None
    ece: float | None
    """Expected calibration error over ten bins of equal size."""
    recall_at_precision_30: float | None
    precision: float | None
    """At the model's threshold; None when no row reaches it."""
    recall: float | None
    alerts: float | None
    """Share of the rows that reach the threshold."""

    def figures(self) -> dict[str, float]:
        """Those figures that could be had."""
        return {name: float(value) for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Subgroup:
    """The figures of those rows whose `attribute` is `group`."""

    attribute: str
    group: str
    judged: bool
    measured: Measured


@dataclass(frozen=True)
class Evaluation:
    """A model's figures, by subgroup too, with the probabilities that they are made of."""

    measured: Measured
    subgroups: tuple[Subgroup, ...]
    labels: Labels
    probabilities: Vector

    def gap(self, attribute: str) -> float | None:
        """The difference between the best and the worst AUROC of an attribute's judged groups; None of fewer than two."""
        found = [group.measured.auroc for group in self.subgroups
                 if group.attribute == attribute and group.judged and group.measured.auroc is not None]
        return max(found) - min(found) if len(found) > 1 else None

    def report(self) -> list[dict[str, object]]:
        """The subgroups as JSON holds them."""
        return [{"attribute": group.attribute, "group": group.group, "judged": group.judged, **asdict(group.measured)}
                for group in self.subgroups]


def evaluate(model: RiskModel, frame: pd.DataFrame) -> Evaluation:
    """Figures of a model on a frame with the features and `label`."""
    labels, probabilities = labels_of(frame), model.predict(frame)
    subgroups = []
    for attribute in SUBGROUPS:
        groups = frame[attribute].fillna("unknown").to_numpy(dtype=object)
        for group in sorted(set(groups)):
            here = groups == group
            found = measure(labels[here], probabilities[here], model.threshold)
            judged = min(found.positives, found.rows - found.positives) >= LEAST_ROWS
            subgroups.append(Subgroup(attribute, str(group), judged, found))
    return Evaluation(measure(labels, probabilities, model.threshold), tuple(subgroups), labels, probabilities)


def labels_of(frame: pd.DataFrame) -> Labels:
    """The labels of a frame, 0 or 1."""
    return np.asarray(frame[LABEL].to_numpy(dtype=np.int64))


def measure(labels: Labels, probabilities: Vector, threshold: float) -> Measured:
    """The figures of probabilities against labels."""
    rows, positives = len(labels), int(labels.sum())
    if positives in (0, rows):
        return Measured(rows, positives, None, None, None, None, None, None, None, None)
    alerted = probabilities >= threshold
    hits = int(labels[alerted].sum())
    return Measured(
        rows=rows, positives=positives, pr_auc=float(average_precision_score(labels, probabilities)),
        auroc=float(roc_auc_score(labels, probabilities)), brier=float(brier_score_loss(labels, probabilities)),
        ece=calibration_error(labels, probabilities), recall_at_precision_30=recall_at(labels, probabilities, PRECISION)[0],
        precision=hits / int(alerted.sum()) if alerted.any() else None, recall=hits / positives, alerts=float(alerted.mean()))


def calibration_error(labels: Labels, probabilities: Vector) -> float:
    """The mean distance between what was predicted and what came, over bins of equally many rows, weighted by rows."""
    return float(sum(abs(predicted - seen) * share for predicted, seen, share in bins(labels, probabilities)))


def bins(labels: Labels, probabilities: Vector) -> list[tuple[float, float, float]]:
    """Of each tenth of the rows, by rising probability: mean probability, share of positives, share of all rows."""
    order = np.argsort(probabilities, kind="stable")
    return [(float(probabilities[part].mean()), float(labels[part].mean()), len(part) / len(labels))
            for part in np.array_split(order, BINS) if len(part)]


def recall_at(labels: Labels, probabilities: Vector, precision: float) -> tuple[float, float | None]:
    """The highest recall with at least this precision, and the threshold that gives it: 0 and None where none does."""
    precisions, recalls, thresholds = precision_recall_curve(labels, probabilities)
    reached = np.flatnonzero(precisions[:-1] >= precision)  # the curve's last point has no threshold
    if not len(reached):
        return 0.0, None
    best = reached[np.argmax(recalls[reached])]
    return float(recalls[best]), float(thresholds[best])
