"""From feature values to the numbers that an estimator is given, and back to features.

Numbers stay as they are and a missing one is NaN: what it means is the estimator's matter, and nobody else's. A category becomes
one column a level; a missing or unknown level is 0 in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from applications.ml.features import registry

Matrix = npt.NDArray[np.float64]
Row = Mapping[str, float | str | None]
"""The features of one patient at one cut-off by name; one that is not there counts as missing."""


@dataclass(frozen=True)
class Encoding:
    """The features of a model, in order, and the levels of those that are categories."""

    names: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    columns: tuple[str, ...] = field(init=False)
    """The matrix's columns: a number's name, or `name=level`."""
    _owners: Matrix = field(init=False, repr=False, compare=False)
    """(columns x features): 1 where the column belongs to the feature."""

    def __post_init__(self) -> None:
        owned = [[f"{name}={level}" for level in self.levels[name]] if name in self.levels else [name] for name in self.names]
        object.__setattr__(self, "columns", tuple(column for own in owned for column in own))
        object.__setattr__(self, "_owners", np.repeat(np.eye(len(self.names)), [len(own) for own in owned], axis=0))

    def frame(self, frame: pd.DataFrame) -> Matrix:
        """(rows x columns) of a frame that has the features as columns. Raises KeyError for one that is missing."""
        found = np.empty((len(frame), len(self.columns)))
        place = 0
        for name in self.names:
            if name in self.levels:
                values = frame[name].to_numpy(dtype=object)
                for level in self.levels[name]:
                    found[:, place] = values == level
                    place += 1
            else:
                found[:, place] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
                place += 1
        return found

    def rows(self, rows: Sequence[Row]) -> Matrix:
        """(rows x columns) of single rows, without a frame."""
        return np.array([self._row(row) for row in rows], dtype=np.float64).reshape(len(rows), len(self.columns))

    def _row(self, row: Row) -> list[float]:
        found: list[float] = []
        for name in self.names:
            value = row.get(name)
            if name in self.levels:
                found += [float(value == level) for level in self.levels[name]]
            else:
                found.append(np.nan if value is None else float(value))
        return found

    def by_feature(self, values: Matrix) -> Matrix:
        """(rows x features) from (rows x columns): what belongs to one feature is summed."""
        found: Matrix = values @ self._owners
        return found


ENCODING = Encoding(registry.NAMES, {name: registry.BY_NAME[name].categories for name in registry.CATEGORIES})
"""The encoding of the features that this platform computes."""
