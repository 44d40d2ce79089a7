"""Rule: from silver to an answer without a hand; and whatever is away or broken, serving says so and comes back by itself."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from applications.clinical.predictions import Prediction
from applications.ingestion import producer
from applications.ml.features.registry import NAMES
from applications.ml.model.registry import CHAMPION, Registry
from tests.e2e.command import Command
from tests.e2e.flow import LONGEST, healthy, wait_until
from tests.e2e.jobs import Jobs
from tests.e2e.lake import Lake
from tests.e2e.probes import s3_client
from tests.e2e.stack import Stack

PATIENTS, DAYS, VITALS_MINUTES = 800, 14, 120
PARITY_PATIENTS = 500
SENDERS = ("kafka-producer", "clinical-data-generator")
STORE = "features/patient"


class Serving:
    """A client of model-serving."""

    def __init__(self, stack: Stack) -> None:
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{stack.port('model-serving')}", timeout=30,
                                   headers={"X-API-Key": stack.secrets["serving-key-clinic"]})

    def predict(self, **instance: Any) -> httpx.Response:
        """Asks for one prediction."""
        return self.client.post("/v1/predict", json=instance)

    def version(self) -> str | None:
        """The version that serves; None while none does."""
        answer = self.client.get("/v1/model")
        return str(answer.json()["version"]) if answer.status_code == 200 else None

    def ready(self) -> bool:
        """Whether predictions can be made."""
        return self.client.get("/ready").status_code == 200


@pytest.fixture(scope="module")
def serving(platform: Stack) -> Serving:
    """The service, and a key for it."""
    return Serving(platform)


@pytest.fixture(scope="module")
def training(platform: Stack) -> Jobs:
    """The endpoint of ml-training."""
    return Jobs(platform, "ml-training", "training-jobs-key")


@pytest.fixture(scope="module")
def registry(platform: Stack) -> Registry:
    """The model registry, from the host: a client without keys of the lake."""
    return Registry(f"http://127.0.0.1:{platform.port('mlflow-server')}")


@pytest.fixture(scope="module")
def history(platform: Stack) -> None:
    """Two weeks of simulated patients, sent as the producer of a fresh platform sends them."""
    with tempfile.TemporaryDirectory() as folder:
        summary = producer.run(producer.ProducerSettings(
            service="e2e-history", kafka_bootstrap=f"127.0.0.1:{platform.port('kafka')}", rate=100, patients=PATIENTS, seed=11,
            history_days=DAYS, history_rate=0, vitals_minutes=VITALS_MINUTES, total_events=1, patient_prefix="H",
            state_path=Path(folder) / "state.json", stop_seconds=LONGEST))
    assert summary.unconfirmed == 0 and summary.sent > PATIENTS * DAYS


@pytest.fixture(scope="module")
def champion(history: None, serving: Serving) -> str:
    """The version that serves once features, training and serving have done their part, each by itself."""
    wait_until("a champion serves", lambda: serving.version() is not None and serving.ready(), LONGEST * 2)
    version = serving.version()
    assert version
    return version


@pytest.fixture(scope="module")
def patient(platform: Stack, champion: str) -> str:
    """Somebody who has features offline."""
    rows = Lake(platform).table(f"gold/{STORE}", ["patient_id"])
    return max(row["patient_id"] for row in rows if row["patient_id"].startswith("PTH"))


def test_serving_without_a_champion_is_alive_and_says_what_is_missing(serving: Serving) -> None:
    """503 with the reason and when to come again; the container is healthy all the same."""
    answer = serving.predict(patient_id="PTH0000000")
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
    assert answer.json()["error"] == "no-champion" and "champion" in answer.json()["message"]
    assert serving.client.get("/health").status_code == 200
    assert serving.client.get("/ready").status_code == 503


def test_mlflow_answers_to_its_own_names_alone(platform: Stack) -> None:
    """A page that resolves to this machine under another name gets nothing."""
    base = f"http://127.0.0.1:{platform.port('mlflow-server')}/"
    assert httpx.get(base).status_code == 200
    assert httpx.get(base, headers={"Host": "elsewhere.example"}).status_code == 403


def test_a_champion_and_a_prediction_come_without_a_hand(platform: Stack, champion: str, patient: str, serving: Serving,
                                                         registry: Registry) -> None:
    """Features in both stores, a version that passed the gates, and a probability for a patient."""
    found = registry.champion()
    assert found is not None and str(found.number) == champion and CHAMPION in found.aliases
    wait_until("the patient has an answer", lambda: serving.predict(patient_id=patient).status_code == 200)
    answer = serving.predict(patient_id=patient).json()
    assert 0 < answer["probability"] < 1 and answer["class"] in ("high-risk", "low-risk")
    assert answer["patient_id"] == patient and str(answer["model"]["version"]) == champion
    assert answer["features_age_seconds"] >= 0 and len(answer["contributions"]) == 5
    assert len(answer["missing_features"]) < len(NAMES)
    model = registry.load(found)
    again = model.predict_rows([{name: None for name in NAMES}])
    assert 0 < again.probabilities[0] < 1
    offline = Lake(platform).table(f"gold/{STORE}", ["patient_id", "event_timestamp"])
    assert len({row["patient_id"] for row in offline}) >= PATIENTS
    print(f"\noffline: {len(offline)} rows; champion: version {champion}, {dict(found.tags)}")


def test_every_prediction_is_in_the_audit(platform: Stack, champion: str, patient: str, serving: Serving) -> None:
    """What was answered stands in Kafka, with who asked, from which features and by which version."""
    lake = Lake(platform)
    before = lake.topics(["model-predictions"]).keys()
    answers = [serving.predict(patient_id=patient) for _ in range(5)]
    served = {answer.json()["prediction_id"]: answer.json() for answer in answers if answer.status_code == 200}
    assert len(served) == 5
    records = [record for place, record in lake.topics(["model-predictions"]).items() if place not in before]
    audit = {str(found.prediction_id): found for found in (Prediction.model_validate_json(r.value or b"") for r in records)}
    assert served.keys() <= audit.keys() and len(audit) == len(records)
    for identity, answer in served.items():
        assert audit[identity].patient_id == patient and audit[identity].requested_by == "clinic"
        assert audit[identity].probability == answer["probability"] and str(audit[identity].model_version) == champion


def test_what_serving_refuses(serving: Serving, champion: str, platform: Stack) -> None:
    """No key, a wrong key, a patient whom nobody knows, a body that makes no sense: each its own answer."""
    base = f"http://127.0.0.1:{platform.port('model-serving')}/v1/predict"
    assert httpx.post(base, json={"patient_id": "PTH0000000"}).status_code == 401
    assert httpx.post(base, json={"patient_id": "PTH0000000"}, headers={"X-API-Key": "x" * 32}).status_code == 403
    assert serving.predict(patient_id="PT99999999").status_code == 404
    assert serving.predict(features={"age": 50}).status_code == 409
    wrong = serving.predict(features={"age": "old", "nonsense": 1})
    assert wrong.status_code == 422
    assert {reason["field"] for reason in wrong.json()["reasons"]} == {"features.age", "features.nonsense"}


def test_features_are_the_same_in_both_stores(platform: Stack, champion: str) -> None:
    """What serving reads of 500 patients is, value by value, what a computation from silver gives at the same cut-off."""
    for service in SENDERS:  # an event on its way at the cut-off is in silver later
        platform.containers()[service].stop(timeout=60)
    features = Jobs(platform, "feature-engineering", "features-jobs-key")
    try:
        lake = Lake(platform)
        ends = lake.topics()
        wait_until("everything in Kafka stands in bronze", lambda: ends.keys() <= lake.bronze()[0].keys())
        features.run("online")
        result = features.run("parity", patients=PARITY_PATIENTS + 100)
    finally:
        for service in SENDERS:
            platform.containers()[service].start()
    print(f"\nparity: {json.dumps(result)}")
    assert result["patients"] >= PARITY_PATIENTS and result["mismatches"] == {}
    assert result["compared"] == result["patients"] * len(NAMES)


def test_a_model_that_is_no_better_stays_out(champion: str, command: Command, serving: Serving) -> None:
    """The same data and seed again: as good as the champion, therefore not better; the champion stays."""
    result = command("ml", "train", "--json").data()["result"]
    gates = {gate["name"]: gate["passed"] for gate in result["gates"]}
    assert result["promoted"] is False and result["refused"] == ["pr_auc_above_champion"], gates
    assert serving.version() == champion


def registered(registry: Registry) -> int:
    """A second version, from the run of the champion."""
    found = registry.champion()
    assert found is not None
    return registry.register(found.run_id, dict(found.tags)).number


@pytest.fixture(scope="module")
def second(champion: str, training: Jobs, registry: Registry) -> Iterator[int]:
    """Another version, which a person promotes; the first one is champion again afterwards."""
    number = registered(registry)
    yield number
    training.run("promote", version=int(champion))


def test_promotion_and_rollback_reach_serving(champion: str, second: int, patient: str, command: Command,
                                              serving: Serving) -> None:
    """Serving changes to what the alias says, and back, without a request that fails."""
    command("ml", "promote", str(second))
    wait_until("the promoted version serves", lambda: answered(serving, patient) == str(second))
    command("ml", "rollback")
    wait_until("the former version serves again", lambda: answered(serving, patient) == champion)


def answered(serving: Serving, patient: str) -> str:
    """The version that answers a request, which must not fail."""
    answer = serving.predict(patient_id=patient)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["model"]["version"])


def test_a_damaged_model_never_serves(platform: Stack, champion: str, patient: str, training: Jobs, registry: Registry,
                                      serving: Serving) -> None:
    """A version whose artifact is broken in the store is refused by `promote`; put there by hand, serving keeps the old one."""
    broken = registered(registry)
    root = s3_client(f"http://127.0.0.1:{platform.port('minio')}", "storage-operator", platform.secrets["lake-storage-operator"])
    models = [entry["Key"] for entry in root.list_objects_v2(Bucket="mlflow-artifacts")["Contents"] if "/models/" in entry["Key"]]
    kept = {key: root.get_object(Bucket="mlflow-artifacts", Key=key)["Body"].read() for key in models}
    try:
        for key in models:
            root.put_object(Bucket="mlflow-artifacts", Key=key, Body=b"damaged")
        assert "Restore it, or train a new model" in training.failed("promote", version=broken)
        registry.promote(broken)
        wait_until("serving says that it cannot load the champion",
                   lambda: str(broken) in json.dumps(serving.client.get("/health").json()["warnings"]))
        assert answered(serving, patient) == champion
    finally:
        for key, body in kept.items():
            root.put_object(Bucket="mlflow-artifacts", Key=key, Body=body)
        registry.rollback()
    wait_until("all is well again", lambda: serving.client.get("/health").json()["warnings"] == [])


@pytest.mark.parametrize(("service", "error"), [("redis", "features-away"), ("kafka", "audit-away")])
def test_what_a_prediction_needs_is_away_and_back(platform: Stack, champion: str, patient: str, serving: Serving, service: str,
                                                  error: str) -> None:
    """503 with the reason while it is away; answers again without a restart."""
    platform.containers()[service].stop(timeout=60)
    answer = serving.predict(patient_id=patient)
    platform.containers()[service].start()
    assert answer.status_code == 503 and answer.json()["error"] == error, answer.text
    wait_until("serving answers again", lambda: serving.predict(patient_id=patient).status_code == 200)


def test_serving_needs_no_registry_while_it_serves_and_finds_its_model_after_a_restart(
        platform: Stack, champion: str, patient: str, serving: Serving) -> None:
    """MLflow away: the model in memory answers; restarted meanwhile, serving waits and says for what."""
    platform.containers()["mlflow-server"].stop(timeout=60)
    assert answered(serving, patient) == champion
    platform.containers()["model-serving"].restart(timeout=60)
    wait_until("the restarted service is up", lambda: alive(serving))
    waiting = serving.predict(patient_id=patient)
    assert waiting.status_code == 503 and waiting.json()["error"] == "no-champion"
    platform.containers()["mlflow-server"].start()
    wait_until("the champion serves again", lambda: serving.version() == champion)
    wait_until("all services are healthy again", lambda: healthy(platform))


def alive(serving: Serving) -> bool:
    """Whether the process answers at all."""
    try:
        return serving.client.get("/health").status_code == 200
    except httpx.TransportError:
        return False
