"""The model of an adverse event in the next 24 hours: features in, a calibrated probability and its reasons out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from applications.ml.model.encoding import Encoding, Matrix, Row
from applications.ml.model.estimators import Estimator, Vector

__all__ = ["Calibration", "RiskModel", "Row", "Scored"]


@dataclass(frozen=True)
class Calibration:
    """Makes log-odds fit the frequencies seen in validation: slope * log-odds + intercept. It keeps the order of patients."""

    slope: float
    intercept: float

    def __call__(self, log_odds: Vector) -> Vector:
        """Calibrated log-odds."""
        return self.slope * log_odds + self.intercept


@dataclass(frozen=True)
class Scored:
    """Predictions with their reasons. The log-odds of a row's probability are `base` + the sum of its contributions."""

    probabilities: Vector
    """One a row, 0 to 1."""
    contributions: Matrix
    """(rows x features, in the order of RiskModel.names): calibrated log-odds that each feature adds."""
    base: Vector
    """One a row: calibrated log-odds of a patient of whom nothing is known."""


@dataclass(frozen=True)
class RiskModel:
    """A fitted model as a whole: encoding, estimator, calibration and threshold. Immutable and safe for threads.

    Features may be missing (None or NaN) and categories may be new: both are handled here and nowhere else.
    """

    features_version: str
    """Version of the feature registry that it was trained with."""
    encoding: Encoding
    estimator: Estimator
    calibration: Calibration
    threshold: float
    """A patient whose probability is at least this is at high risk."""

    @property
    def kind(self) -> str:
        """`logistic` or `gbm`."""
        return self.estimator.kind

    @property
    def names(self) -> tuple[str, ...]:
        """The features, in order."""
        return self.encoding.names

    def predict(self, frame: pd.DataFrame) -> Vector:
        """The probabilities, one a row, of a frame that has the features as columns (others are ignored)."""
        return probability(self.calibration(self.estimator.log_odds(self.encoding.frame(frame))))

    def contributions(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What each feature adds to a row's calibrated log-odds: (rows x features), with the frame's index."""
        found = self._scored(self.encoding.frame(frame)).contributions
        return pd.DataFrame(found, columns=list(self.names), index=frame.index)

    def predict_rows(self, rows: Sequence[Row]) -> Scored:
        """Probabilities and contributions of single rows, fast: no frame is made. Values are numbers, strings for
        categories, or None; raises ValueError or TypeError for a number that is none.
        """
        return self._scored(self.encoding.rows(rows))

    def _scored(self, matrix: Matrix) -> Scored:
        # One pass over the trees: what the columns add and the expectation sum to the log-odds.
        parts = self.estimator.contributions(matrix)
        contributions = self.calibration.slope * self.encoding.by_feature(parts[:, :-1])
        base = self.calibration(parts[:, -1])
        return Scored(probability(base + contributions.sum(axis=1)), contributions, base)


def probability(log_odds: Vector) -> Vector:
    """1 / (1 + exp(-log-odds)), without overflow."""
    found: Vector = 0.5 * (1.0 + np.tanh(0.5 * log_odds))
    return found
