"""The two kinds of estimator: each gives the log-odds of the label, and what every column adds to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import lightgbm
import numpy as np
import numpy.typing as npt

from applications.ml.model.encoding import Matrix

Vector = npt.NDArray[np.float64]


class Estimator(Protocol):
    """A fitted estimator over encoded columns, in which NaN is a missing value."""

    kind: ClassVar[str]

    def log_odds(self, matrix: Matrix) -> Vector:
        """The uncalibrated log-odds, one a row."""

    def contributions(self, matrix: Matrix) -> Matrix:
        """(rows x columns + 1): what each column adds to the log-odds, and last the part that no column has. A row's sum is
        its log-odds.
        """

    def document(self) -> dict[str, Any]:
        """The estimator as JSON holds it."""


@dataclass(frozen=True)
class Logistic:
    """A regularised logistic regression on standardised columns. A missing value counts as the training set's mean."""

    kind: ClassVar[str] = "logistic"
    means: Vector
    scales: Vector
    weights: Vector
    intercept: float

    def log_odds(self, matrix: Matrix) -> Vector:
        """The log-odds, one a row."""
        found: Vector = self._parts(matrix).sum(axis=1) + self.intercept
        return found

    def contributions(self, matrix: Matrix) -> Matrix:
        """Weight * standardised value of each column, and the intercept."""
        return np.column_stack([self._parts(matrix), np.full(len(matrix), self.intercept)])

    def _parts(self, matrix: Matrix) -> Matrix:
        found: Matrix = np.nan_to_num((matrix - self.means) / self.scales, nan=0.0) * self.weights
        return found

    def document(self) -> dict[str, Any]:
        """The numbers of the regression."""
        return {"means": self.means.tolist(), "scales": self.scales.tolist(), "weights": self.weights.tolist(),
                "intercept": self.intercept}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Logistic:
        """The estimator that a document describes."""
        means, scales, weights = (np.array(document[name], dtype=np.float64) for name in ("means", "scales", "weights"))
        return cls(means, scales, weights, float(document["intercept"]))


@dataclass(frozen=True)
class Gbm:
    """Gradient-boosted trees of LightGBM, which learn for each split where a missing value goes."""

    kind: ClassVar[str] = "gbm"
    text: str = field(repr=False)
    """The trees in LightGBM's own text form."""
    _booster: lightgbm.Booster = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_booster", lightgbm.Booster(model_str=self.text))

    def log_odds(self, matrix: Matrix) -> Vector:
        """The log-odds, one a row."""
        return np.asarray(self._booster.predict(matrix, raw_score=True, num_threads=1), dtype=np.float64)

    def contributions(self, matrix: Matrix) -> Matrix:
        """The Shapley values of the trees, and the trees' expectation."""
        return np.asarray(self._booster.predict(matrix, pred_contrib=True, num_threads=1), dtype=np.float64)

    def document(self) -> dict[str, Any]:
        """The trees."""
        return {"trees": self.text}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Gbm:
        """The estimator that a document describes."""
        return cls(document["trees"])


KINDS: Mapping[str, type[Logistic] | type[Gbm]] = {kind.kind: kind for kind in (Logistic, Gbm)}
