"""Rules: probabilities and their reasons agree, one row gives what a frame gives, and whatever is missing or new is handled in the
model and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from applications.ml.features import registry
from applications.ml.model.encoding import ENCODING, Encoding
from applications.ml.model.risk import RiskModel, Row
from applications.ml.training.split import Split


@pytest.fixture(params=["logistic", "gbm"])
def model(request: pytest.FixtureRequest, models: Mapping[str, RiskModel]) -> RiskModel:
    return models[request.param]


@pytest.fixture(scope="module")
def frame(parts: Split) -> pd.DataFrame:
    return parts.test.head(60)


def as_row(values: pd.Series) -> Row:
    return {name: None if pd.isna(values[name]) else values[name] for name in registry.NAMES}


def log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_a_row_alone_is_scored_as_in_a_frame(model: RiskModel, frame: pd.DataFrame) -> None:
    rows = [as_row(values) for _, values in frame.iterrows()]
    assert any(None in row.values() for row in rows)
    scored = model.predict_rows(rows)
    assert scored.probabilities == pytest.approx(model.predict(frame), abs=1e-9)
    assert scored.contributions == pytest.approx(model.contributions(frame).to_numpy(), abs=1e-9)
    for row, expected in zip(rows, scored.probabilities, strict=True):
        assert model.predict_rows([row]).probabilities[0] == pytest.approx(expected, abs=1e-9)


def test_the_reasons_add_up_to_the_probability(model: RiskModel, frame: pd.DataFrame) -> None:
    rows = [as_row(values) for _, values in frame.iterrows()]
    scored = model.predict_rows(rows)
    assert scored.contributions.shape == (len(rows), len(registry.NAMES))
    assert np.abs(scored.contributions).max() > 0.1
    for place, probability in enumerate(scored.probabilities):
        assert scored.base[place] + scored.contributions[place].sum() == pytest.approx(log_odds(probability), abs=1e-6)


def test_contributions_name_the_features_in_their_order(model: RiskModel, frame: pd.DataFrame) -> None:
    found = model.contributions(frame)
    assert tuple(found.columns) == registry.NAMES == model.names
    assert found.index.equals(frame.index)


def test_what_drives_the_label_is_what_contributes_most(model: RiskModel, parts: Split) -> None:
    sizes = model.contributions(parts.test.head(300)).abs().mean()
    assert sizes.idxmax() in {"heart_rate_mean_6h", "respiratory_rate_mean_6h", "spo2_min_24h", "systolic_mean_6h",
                              "creatinine_latest"}


def test_probabilities_are_probabilities_and_differ(model: RiskModel, parts: Split) -> None:
    found = model.predict(parts.test)
    assert found.shape == (len(parts.test),)
    assert ((found > 0) & (found < 1)).all()
    assert found.max() > 5 * found.min()


def test_a_patient_of_whom_nothing_is_known_is_scored(model: RiskModel) -> None:
    scored = model.predict_rows([{}, dict.fromkeys(registry.NAMES)])
    assert 0 < scored.probabilities[0] < 1
    assert scored.probabilities[0] == scored.probabilities[1]


def test_a_level_that_training_never_saw_counts_as_unknown(model: RiskModel, frame: pd.DataFrame) -> None:
    row = as_row(frame.iloc[0])
    strange, missing = ({**row, "trial_arm": value} for value in ("placebo", None))
    assert model.predict_rows([strange]).probabilities == model.predict_rows([missing]).probabilities


def test_the_baseline_takes_a_missing_value_for_the_mean_and_no_other(models: Mapping[str, RiskModel], frame: pd.DataFrame) -> None:
    """A null that became 0 would be the heart rate of a dead patient."""
    row, place = as_row(frame.iloc[0]), registry.NAMES.index("heart_rate_mean_6h")
    missing, low = (models["logistic"].predict_rows([{**row, "heart_rate_mean_6h": value}]) for value in (None, -30.0))
    assert missing.contributions[0, place] == 0
    assert low.contributions[0, place] < -0.1


def test_columns_that_are_no_features_are_ignored(model: RiskModel, frame: pd.DataFrame) -> None:
    shuffled = frame[sorted(frame.columns)].assign(more=1.0)
    assert (model.predict(shuffled) == model.predict(frame)).all()


def test_a_number_that_is_none_is_refused(model: RiskModel) -> None:
    with pytest.raises(ValueError, match="could not convert"):
        model.predict_rows([{"age": "old"}])


def test_the_encoding_has_one_column_a_level() -> None:
    encoding = Encoding(("a", "b"), {"b": ("x", "y")})
    assert encoding.columns == ("a", "b=x", "b=y")
    assert encoding.rows([{"a": 1, "b": "y"}, {"a": None, "b": "z"}]) == pytest.approx(
        np.array([[1, 0, 1], [np.nan, 0, 0]]), nan_ok=True)
    assert encoding.by_feature(np.array([[1.0, 2.0, 3.0]])).tolist() == [[1, 5]]


def test_rows_and_frames_are_encoded_alike(parts: Split) -> None:
    frame = parts.test.head(20)
    assert ENCODING.rows([as_row(values) for _, values in frame.iterrows()]) == pytest.approx(ENCODING.frame(frame), nan_ok=True)
