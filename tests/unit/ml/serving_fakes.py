"""A serving without its neighbours: a store, a registry and a broker that answer as a test says, and a real model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
import numpy as np
import orjson
from starlette.types import ASGIApp

from applications.ml.features import registry
from applications.ml.features.registry import FEATURES, NAMES, Feature
from applications.ml.model.encoding import Encoding
from applications.ml.model.estimators import Logistic
from applications.ml.model.risk import Calibration, RiskModel
from applications.ml.serving.app import create_app
from applications.ml.serving.audit import Audit
from applications.ml.serving.door import Door
from applications.ml.serving.health import Health
from applications.ml.serving.judging import Judge
from applications.ml.serving.models import Models
from applications.ml.serving.ports import BadModel, Model, Unavailable, Values
from applications.ml.serving.service import Predictions
from applications.ml.serving.store import Store
from applications.runtime.api_keys import ApiKeys
from applications.runtime.kafka import PublishError

KEY = "0123456789abcdef"
JSON = {"X-API-Key": KEY, "Content-Type": "application/json"}
NAME = "adverse-event-predictor"
PATIENT, OTHER = "PT0000A1B2", "PT0000C3D4"
T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a test's coroutine, in a loop of its own, for 20 seconds at most."""
    async def bounded() -> T:
        async with asyncio.timeout(20):
            return await work

    return asyncio.run(bounded())


def model(**weights: float) -> RiskModel:
    """A logistic model of the registry's features; each weight is that of the value itself, the others are 0."""
    levels = {one.name: tuple(sorted(one.categories)) for one in FEATURES if one.kind == "category"}
    encoding = Encoding(NAMES, levels)
    known = np.array([weights.get(column, 0.0) for column in encoding.columns])
    width = len(encoding.columns)
    return RiskModel(registry.VERSION, encoding, Logistic(np.zeros(width), np.ones(width), known, -3.0), Calibration(1.0, 0.0), 0.2)


def value(feature: Feature) -> float | str:
    """A valid value of a feature."""
    if feature.kind == "category":
        return feature.categories[0]
    assert feature.low is not None and feature.high is not None
    return (feature.low + feature.high) / 2


def full(**changes: float | str | None) -> dict[str, float | str | None]:
    """Valid values of all features, with changes."""
    return {**{feature.name: value(feature) for feature in FEATURES}, **changes}


@dataclass(frozen=True)
class Snap:
    """What the store has of a patient."""

    cutoff: datetime
    values: Values


class FakeFeatures:
    """The online store. `fault` makes it away; `patients` is what it has; `hold` is called before each read."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self.patients: dict[str, Snap] = {}
        self.reads: list[list[str]] = []
        self.hold: Callable[[], None] = lambda: None

    def put(self, patient_id: str, values: Values | None = None, age: float = 60) -> None:
        """Gives a patient features that are so many seconds old."""
        self.patients[patient_id] = Snap(datetime.now(UTC) - timedelta(seconds=age), full() if values is None else values)

    def read(self, patient_ids: Sequence[str]) -> Mapping[str, Snap]:
        """What is there of them."""
        self.hold()
        self.reads.append(list(patient_ids))
        if self.fault is not None:
            raise Unavailable(self.fault)
        return {one: self.patients[one] for one in patient_ids if one in self.patients}


class FakeRegistry:
    """The registry. `versions` is what it has by number, an exception where loading fails; `fault` makes it away."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self.versions: dict[str, Model | Exception] = {}
        self.number: str | None = None
        self.loads: list[str] = []

    def promote(self, number: str, version: Model | Exception) -> None:
        """Registers a version and makes it champion."""
        self.versions[number] = version
        self.number = number

    def champion(self) -> str | None:
        """The champion's number."""
        if self.fault is not None:
            raise Unavailable(self.fault)
        return self.number

    def load(self, number: str) -> Model:
        """A version's model."""
        self.loads.append(number)
        found = self.versions.get(number, BadModel("there is none"))
        if isinstance(found, Exception):
            raise found
        return found


class FakeRecorder:
    """Kafka. `fault` makes it away at a look; `failure` refuses to confirm; `hold` keeps confirmations back."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self.failure: str | None = None
        self.hold = False
        self.sent: list[tuple[str, str | bytes | None, dict[str, Any]]] = []
        self.held: list[Future[Any]] = []

    def publish(self, topic: str, key: str | bytes | None, value: bytes) -> Future[Any]:
        """Confirms, or not."""
        future: Future[Any] = Future()
        self.sent.append((topic, key, orjson.loads(value)))
        if self.failure is not None:
            future.set_exception(PublishError(self.failure))
        elif self.hold:
            self.held.append(future)
        else:
            future.set_result(None)
        return future

    def check(self) -> str | None:
        """What is wrong."""
        return self.fault


class Serving:
    """A serving with a champion, version 1, a patient, and needs that were looked at, unless `looked` is false."""

    def __init__(self, *, looked: bool = True, max_age_seconds: float = 3600, max_missing_share: float = 0.6,
                 max_body_bytes: int = 2_000_000, read_seconds: float = 5, max_in_flight: int = 64) -> None:
        self.features, self.registry, self.recorder = FakeFeatures(), FakeRegistry(), FakeRecorder()
        self.store, self.audit, self.models = Store(self.features), Audit(self.recorder), Models(self.registry, NAME)
        self.registry.promote("1", model(age=0.02, heart_rate_mean_6h=0.01))
        self.features.put(PATIENT)
        if looked:
            for look in (self.store.look, self.audit.look, self.models.look):
                look()
            self.features.reads.clear()
        judge = Judge(self.store, max_age_seconds, max_missing_share)
        self.predictions = Predictions(self.models, judge, self.audit, workers=2)
        door = Door(self.predictions, ApiKeys(f"ward:{KEY}"), max_body_bytes=max_body_bytes, read_seconds=read_seconds,
                    max_in_flight=max_in_flight)
        self.app: ASGIApp = create_app(door, self.models, Health(self.models, {"features": self.store, "audit": self.audit}))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://serving")

    async def predict(self, body: object, path: str = "/v1/predict", headers: Mapping[str, str] = JSON) -> httpx.Response:
        """Posts bytes as they are and anything else as JSON."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.client.post(path, content=content, headers=dict(headers))

    async def batch(self, *instances: object) -> list[dict[str, Any]]:
        """The results of a batch that is answered."""
        answer = await self.predict({"instances": instances}, "/v1/predict/batch")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["results"]
        return found


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Serving]:
    """A serving that ends with the test."""
    one = Serving(**settings)
    async with one.client:
        try:
            yield one
        finally:
            one.predictions.close()
