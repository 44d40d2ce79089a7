"""The whole of a training without its surroundings: from a labelled frame to a model, its figures and its gates."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from applications.ml.model.errors import ModelError
from applications.ml.model.risk import RiskModel
from applications.ml.training.evaluation import Evaluation, evaluate
from applications.ml.training.fitting import better, candidates
from applications.ml.training.gates import MOST_GAP, Gate, champion_unusable, on_champion, on_data
from applications.ml.training.split import split
from applications.ml.training.tracking import Trained

Champion = Callable[[], RiskModel | None]
"""Loads the champion; None while there is none. Raises ModelError when it cannot be used."""


def learn(frame: pd.DataFrame, data_version: str, seed: int, champion: Champion, most_gap: float = MOST_GAP) -> Trained:
    """Splits, fits both kinds, chooses on validation, and judges on the test part.

    Raises JobError when the frame is too small to be split.
    """
    parts = split(frame, seed)
    models = candidates(parts, seed)
    chosen = better(models, parts.validation)
    found = {kind: evaluate(model, parts.test) for kind, model in models.items()}
    own = found[chosen.kind]
    return Trained(chosen, parts, own, {kind: other.measured.figures() for kind, other in found.items()},
                   (*on_data(own, most_gap), _against(champion, own, parts.test)), seed, data_version)


def _against(champion: Champion, own: Evaluation, test: pd.DataFrame) -> Gate:
    try:
        rival = champion()
    except ModelError as error:
        return champion_unusable(own, str(error))
    return on_champion(own, None if rival is None else evaluate(rival, test))
