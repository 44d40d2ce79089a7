"""Rules: the simulation has something true to learn, as the contract says: events are rare, the latent risk foretells them, and
what can be observed foretells them nearly as well.

Measured with the seed below (240 patients, 30 days): 4.7 % of patient-days are followed by an adverse event of grade 2 or above
within 24 h; AUROC of the latent risk 0.896 (the oracle); AUROC of a logistic model on the last vitals and labs, for patients it has
not seen, 0.865. With 1000 patients: 5.2 %, oracle 0.894.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from applications.clinical.simulation import Simulation

START = datetime(2026, 3, 1, tzinfo=UTC)
PATIENTS, DAYS = 240, 31
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return Simulation(seed=7, patients=PATIENTS, start=START, vitals_minutes=240)


def moments() -> Iterator[tuple[int, datetime]]:
    for index in range(PATIENTS):
        for day in range(1, DAYS):
            yield index, moment(day)


def moment(day: int) -> datetime:
    return START + timedelta(days=day, hours=12)


@pytest.fixture(scope="module")
def labels(simulation: Simulation) -> np.ndarray:
    return np.array([any(onset.grade >= 2 for onset in simulation.onsets(index, at, at + DAY)) for index, at in moments()])


def test_an_event_in_the_next_day_is_rare(labels: np.ndarray) -> None:
    assert 0.04 <= labels.mean() <= 0.06


def test_the_latent_risk_foretells_it(simulation: Simulation, labels: np.ndarray) -> None:
    oracle = roc_auc_score(labels, [simulation.latent(index, at) for index, at in moments()])
    assert 0.87 <= oracle <= 0.93


def test_a_simple_model_on_what_was_recorded_before_foretells_it(simulation: Simulation, labels: np.ndarray) -> None:
    features = np.array(list(observed(simulation)))
    who = np.array([index for index, _ in moments()])
    learn, judge = who % 2 == 0, who % 2 == 1
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, C=0.1)).fit(features[learn], labels[learn])
    reached = roc_auc_score(labels[judge], model.predict_proba(features[judge])[:, 1])
    assert reached >= 0.80
    shuffled = np.random.default_rng(0).permutation(labels[learn])
    blind = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, C=0.1)).fit(features[learn], shuffled)
    assert roc_auc_score(labels[judge], blind.predict_proba(features[judge])[:, 1]) < reached - 0.1


def observed(simulation: Simulation) -> Iterator[list[float]]:
    """The latest value of each vital and lab that was recorded before each moment, patient by patient."""
    series: dict[str, list[tuple[float, str, float]]] = {patient.patient_id: [] for patient in simulation.patients}
    values: dict[str, list[float]] = {}
    for event in simulation.events(START + DAYS * DAY):
        payload = event["payload"]
        recorded = datetime.fromisoformat(event["recorded_time"]).timestamp()
        for result in payload.get("measurements", [payload] if "code" in payload else []):
            values.setdefault(result["code"], []).append(result["value"])
            series[event["patient_id"]].append((recorded, result["code"], result["value"]))
    usual = {code: float(np.mean(found)) for code, found in values.items()}
    for patient in simulation.patients:
        latest = dict(usual)
        results = iter([*sorted(series[patient.patient_id]), (math.inf, "", 0.0)])
        ahead = next(results)
        for day in range(1, DAYS):
            while ahead[0] < moment(day).timestamp():
                latest[ahead[1]] = ahead[2]
                ahead = next(results)
            yield list(latest.values())
