"""Rules: from simulated patients the model learns what is there to learn, for patients whom it has not seen; from shuffled labels
it learns nothing, and the gates say so.

Measured with the numbers below: AUROC 0.84 (the latent risk itself, which nobody sees, reaches about 0.9).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from applications.ml.features.registry import NAMES, VITALS
from applications.ml.training.gates import refused
from applications.ml.training.learning import learn
from applications.ml.training.parameters import SEED
from applications.ml.training.tracking import Trained
from tests.unit.ml.simulated_frames import simulated

PATIENTS, DAYS, VITALS_MINUTES, SHUFFLES = 300, 18, 180, 5


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return simulated(PATIENTS, DAYS, vitals_minutes=VITALS_MINUTES)


@pytest.fixture(scope="module")
def trained(frame: pd.DataFrame) -> Trained:
    return learn(frame, "", SEED, lambda: None)


def test_labels_are_as_rare_as_the_contract_says(frame: pd.DataFrame) -> None:
    assert len(frame) > 19_000
    assert 0.04 <= frame["label"].mean() <= 0.06


def test_no_feature_is_constant_or_always_missing(frame: pd.DataFrame) -> None:
    """What a name in the wrong case would make of it. Patients are measured every three hours: an hour has one value at most."""
    single = {f"{vital.column}_{statistic}_1h" for vital in VITALS for statistic in ("std", "slope")}
    assert {name for name in NAMES if frame[name].nunique() < 2} == single


def test_the_model_knows_the_risk_of_patients_it_has_not_seen(trained: Trained) -> None:
    auroc = trained.evaluation.measured.auroc
    assert auroc is not None and auroc >= 0.80
    assert all(figures["auroc"] >= 0.80 for figures in trained.candidates.values())
    assert not set(trained.parts.test["patient_id"]) & set(trained.parts.train["patient_id"])


def test_every_gate_holds(trained: Trained) -> None:
    assert refused(trained.gates) == []
    assert all(gate.value is not None for gate in trained.gates)


def test_the_same_data_and_seed_give_the_same_figures(frame: pd.DataFrame, trained: Trained) -> None:
    again = learn(frame.sample(frac=1, random_state=5), "", SEED, lambda: None)
    assert again.candidates == trained.candidates
    assert again.model.threshold == trained.model.threshold


def test_shuffled_labels_teach_nothing_and_the_gates_refuse(frame: pd.DataFrame) -> None:
    reached = []
    for number in range(SHUFFLES):
        labels = np.random.default_rng(number).permutation(frame["label"].to_numpy())
        found = learn(frame.assign(label=labels), "", number, lambda: None)
        assert "auroc" in refused(found.gates)
        reached.append(found.evaluation.measured.auroc)
    assert np.mean(reached) == pytest.approx(0.5, abs=0.03)
