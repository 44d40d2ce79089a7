"""From a healthy platform to the first prediction; features, training and serving in numbers."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import docker
import httpx

from applications.ml.model.registry import Registry
from tests.bench import serving
from tests.e2e.flow import wait_until
from tests.e2e.jobs import Jobs
from tests.e2e.lake import Lake
from tests.e2e.stack import Stack

HISTORY_DAYS = 20
LONGEST = 3600
HOST = "127.0.0.1"


def first_prediction(stack: Stack) -> float:
    """Seconds from now until a patient's prediction is answered. Raises AssertionError when none comes."""
    begin = time.monotonic()
    client = httpx.Client(base_url=f"http://{HOST}:{stack.port('model-serving')}", timeout=30,
                          headers={"X-API-Key": stack.secrets["serving-key-clinic"]})
    wait_until("a champion serves", lambda: client.get("/ready").status_code == 200, LONGEST)
    patients = known_patients(stack)
    wait_until("a patient has an answer", lambda: any(
        client.post("/v1/predict", json={"patient_id": one}).status_code == 200 for one in patients[:20]), LONGEST)
    return time.monotonic() - begin


def known_patients(stack: Stack) -> list[str]:
    """Who has features in the lake."""
    return sorted({row["patient_id"] for row in Lake(stack).table("gold/features/patient", ["patient_id"])})


def peak_mb(client: docker.DockerClient, stack: Stack, service: str) -> float:
    """The most memory that a service has used since it started, with its page cache."""
    container = stack.containers()[service]
    stats = client.api.stats(str(container.id), stream=False)["memory_stats"]
    return float(stats.get("max_usage", stats["usage"])) / 1e6


def report(stack: Stack) -> str:
    """The page's part about the ML layer, of a stack that has just come up with a history of its patients."""
    seconds = first_prediction(stack)
    client = docker.from_env(timeout=180)
    features = Jobs(stack, "feature-engineering", "features-jobs-key")
    training = Jobs(stack, "ml-training", "training-jobs-key")
    today = datetime.now(UTC).date()
    begin = time.monotonic()
    days = {"from": (today - timedelta(days=HISTORY_DAYS)).isoformat(), "to": today.isoformat()}
    made = features.run("backfill", **days)["features"]
    took = time.monotonic() - begin
    begin = time.monotonic()
    trained = training.run("train", promote=False)
    training_took = time.monotonic() - begin
    first = int(httpx.get(f"http://{HOST}:{stack.port('model-serving')}/v1/model", timeout=30,
                          headers={"X-API-Key": stack.secrets["serving-key-clinic"]}).json()["version"])
    registry = Registry(f"http://{HOST}:{stack.port('mlflow-server')}")
    found = registry.version(first)
    second = registry.register(found.run_id, found.tags).number
    served = serving.report(HOST, stack.port("model-serving"), stack.secrets["serving-key-clinic"], known_patients(stack),
                            lambda number: training.run("promote", version=number), (second, first))
    return f"""
## Features, training, serving

A fresh platform with {HISTORY_DAYS} days of history of 1,000 patients, which the producer sends at its first start: the first
prediction by patient_id was answered {seconds / 60:.1f} minutes after everything was healthy.

Features of {HISTORY_DAYS} days again: {made['rows']} rows in {took:.0f} s ({made['rows'] / took:.0f} rows/s); the service used at
most {peak_mb(client, stack, 'feature-engineering'):.0f} MB. A training on all of them: {training_took:.0f} s and at most
{peak_mb(client, stack, 'ml-training'):.0f} MB; metrics on the held-out patients: {trained['metrics']}.
{served}"""
