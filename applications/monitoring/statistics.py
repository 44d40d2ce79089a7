"""How far two samples are apart, and how good probabilities were."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import stats  # type: ignore[import-untyped]

Numbers = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
FLOOR = 1e-4
"""What stands for an empty bin in the stability index: its logarithm must be a number."""
CALIBRATION_BINS = 10


def psi(reference: Numbers, current: Numbers, bins: int) -> float:
    """The population stability index of two samples of numbers, none of them empty, over bins that hold equal shares of the
    reference. Equal values fall into one bin, so there may be fewer. 0 is no difference, above 0.25 a large one.
    """
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1]))
    counted = [np.bincount(np.searchsorted(edges, sample, side="left"), minlength=len(edges) + 1)
               for sample in (reference, current)]
    return _psi(counted[0] / len(reference), counted[1] / len(current))


def psi_of_counts(reference: Mapping[str, int], current: Mapping[str, int]) -> float:
    """The same of two counts of categories."""
    names = sorted({*reference, *current})
    shares = [np.array([counts.get(name, 0) for name in names], dtype=np.float64) / sum(counts.values())
              for counts in (reference, current)]
    return _psi(*shares)


def _psi(reference: Numbers, current: Numbers) -> float:
    expected, found = np.maximum(reference, FLOOR), np.maximum(current, FLOOR)
    return float(np.sum((found - expected) * np.log(found / expected)))


def ks(reference: Numbers, current: Numbers) -> tuple[float, float]:
    """The Kolmogorov-Smirnov distance of two samples, and the probability of one at least as great by chance."""
    found = stats.ks_2samp(reference, current, method="asymp")
    return float(found.statistic), float(found.pvalue)


def auroc(labels: Labels, probabilities: Numbers) -> float:
    """The area under the ROC curve: how often a positive has a greater probability than a negative, ties counting half. NaN
    with one label only.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return math.nan
    ranks = stats.rankdata(probabilities)
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def pr_auc(labels: Labels, probabilities: Numbers) -> float:
    """The average precision, the area under the precision-recall curve by steps. NaN without a positive."""
    if not labels.sum():
        return math.nan
    order = np.argsort(-probabilities, kind="stable")
    sorted_labels, sorted_probabilities = labels[order], probabilities[order]
    # Rows of one probability are taken at once.
    last = np.append(np.flatnonzero(np.diff(sorted_probabilities)), len(labels) - 1)
    hits = np.cumsum(sorted_labels)[last]
    recall = hits / labels.sum()
    return float(np.sum(np.diff(recall, prepend=0.0) * hits / (last + 1)))


def brier(labels: Labels, probabilities: Numbers) -> float:
    """The mean squared distance of probabilities from what came."""
    return float(np.mean((probabilities - labels) ** 2))


def calibration(labels: Labels, probabilities: Numbers) -> list[tuple[float, float, int]]:
    """Of each tenth of the rows, by rising probability: mean probability, share of positives, rows."""
    order = np.argsort(probabilities, kind="stable")
    return [(float(probabilities[part].mean()), float(labels[part].mean()), len(part))
            for part in np.array_split(order, CALIBRATION_BINS) if len(part)]


def calibration_error(labels: Labels, probabilities: Numbers) -> float:
    """The mean distance between probability and share of positives over those tenths, weighted by rows."""
    return sum(abs(predicted - seen) * rows for predicted, seen, rows in calibration(labels, probabilities)) / len(labels)
