"""What serving needs of others, as it sees it: the online store, the registry and its models. `__main__` brings the real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

Values = Mapping[str, float | str | None]
"""Features by name: a number, a category's word, or None where it is unknown."""


class Unavailable(Exception):
    """Something that serving needs cannot be used now; the text says what and why."""


class BadModel(Exception):
    """A version whose model cannot be used; the text says why."""


class Snapshot(Protocol):
    """The features of one patient as they were at their cut-off."""

    @property
    def cutoff(self) -> datetime:
        """The moment up to which they know the patient, aware."""

    @property
    def values(self) -> Values:
        """The features."""


class FeatureStore(Protocol):
    """The online store."""

    def read(self, patient_ids: Sequence[str]) -> Mapping[str, Snapshot]:
        """The latest features of patients; those whom it does not know are left out. Blocks. Raises Unavailable."""


class Scores(Protocol):
    """Predictions of some rows."""

    @property
    def probabilities(self) -> Sequence[float] | Any:
        """One a row, 0 to 1."""

    @property
    def contributions(self) -> Sequence[Sequence[float]] | Any:
        """For each row one a feature, in the order of the model's names, in log-odds."""


class Model(Protocol):
    """A fitted model."""

    @property
    def features_version(self) -> str:
        """The definitions of features that it has learned from."""

    @property
    def names(self) -> Sequence[str]:
        """Its features, in order."""

    @property
    def threshold(self) -> float:
        """From this probability on a patient is at high risk."""

    def predict_rows(self, rows: Sequence[Values]) -> Scores:
        """Predictions of rows, in their order."""


class ModelRegistry(Protocol):
    """The registry of models."""

    def champion(self) -> str | None:
        """The number of the version that is to serve; None while there is none. Blocks. Raises Unavailable."""

    def load(self, number: str) -> Model:
        """The model of a version. Blocks. Raises Unavailable or BadModel."""
