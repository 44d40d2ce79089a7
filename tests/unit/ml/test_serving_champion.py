"""Rules of the champion: a new one serves without a lost request; one that cannot be used never takes the place of one that can."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import Any

import pytest
from prometheus_client import REGISTRY

from applications.ml.serving.models import Models
from applications.ml.serving.ports import BadModel, Unavailable
from tests.unit.ml.serving_fakes import JSON, NAME, PATIENT, FakeRegistry, Serving, model, run, serving


async def version(one: Serving) -> str:
    """The version that a prediction names."""
    answer = await one.predict({"patient_id": PATIENT})
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["model"]["version"]
    return found


def test_a_new_champion_serves_at_the_next_look_and_an_old_one_again_after_a_rollback() -> None:
    async def scenario() -> None:
        async with serving() as one:
            assert await version(one) == "1"
            one.registry.promote("2", model(age=-0.02))
            one.models.look()
            assert await version(one) == "2"
            about = (await one.client.get("/v1/model", headers=JSON)).json()
            assert (about["name"], about["version"], about["alias"]) == (NAME, "2", "champion")
            one.registry.number = "1"
            one.models.look()
            assert await version(one) == "1"
            one.models.look()
            assert one.registry.loads == ["1", "2", "1"], "a version that serves is not loaded again"

    run(scenario())


def test_no_request_fails_or_mixes_models_while_champions_change() -> None:
    """Under concurrent single and batch requests every answer is 200, and its probability is that of the version it names."""
    async def scenario() -> None:
        async with serving() as one:
            one.registry.versions = {str(number): model(age=number / 100) for number in range(1, 6)}
            one.registry.number = "5"
            one.models.look()
            age = one.features.patients[PATIENT].values["age"]
            expected = {number: float(found.predict_rows([{"age": age}]).probabilities[0])
                        for number, found in one.registry.versions.items() if not isinstance(found, Exception)}
            seen: set[str] = set()
            ended = False

            async def ask() -> None:
                while not ended:
                    answer = await one.predict({"patient_id": PATIENT})
                    assert answer.status_code == 200, answer.text
                    results = await one.batch(*[{"patient_id": PATIENT}] * 30)
                    versions = {result["prediction"]["model"]["version"] for result in results}
                    assert len(versions) == 1, "a batch is of one version"
                    for made in [answer.json(), *(result["prediction"] for result in results)]:
                        assert made["probability"] == pytest.approx(expected[made["model"]["version"]])
                        seen.add(made["model"]["version"])

            asking = [asyncio.create_task(ask()) for _ in range(4)]
            for number in range(25):
                one.registry.number = str(number % 5 + 1)
                await asyncio.to_thread(one.models.look)
                await asyncio.sleep(0.01)
            ended = True
            await asyncio.gather(*asking)
            assert len(seen) > 1

    run(scenario())


class Mad:
    """A model that is none."""

    features_version, names, threshold = "1", ("age",), 0.5

    def predict_rows(self, rows: object) -> Any:
        """Fails."""
        raise RuntimeError("CANARY")


@pytest.mark.parametrize("broken", [BadModel("its digest does not fit"), RuntimeError("CANARY"), Mad()])
def test_a_champion_that_cannot_be_used_leaves_the_old_one_serving(broken: Any) -> None:
    """/health and a metric say so; /ready stays 200; and the next good version serves."""
    async def scenario() -> None:
        before = REGISTRY.get_sample_value("serving_model_load_failures_total") or 0
        async with serving() as one:
            one.registry.promote("2", broken)
            one.models.look()
            assert await version(one) == "1"
            health = await one.client.get("/health")
            assert health.status_code == 200
            (warning,) = health.json()["warnings"]
            assert "version 2" in warning and "version 1 goes on serving" in warning and "CANARY" not in warning
            assert (await one.client.get("/ready")).status_code == 200
            assert REGISTRY.get_sample_value("serving_model_load_failures_total") == before + 1
            one.registry.promote("3", model())
            one.models.look()
            assert await version(one) == "3"
            assert (await one.client.get("/health")).json()["warnings"] == []

    run(scenario())


def test_a_bad_version_is_tried_again_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be mended in place; but looking every few seconds must not download it every few seconds."""
    registry = FakeRegistry()
    models = Models(registry, NAME)
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    registry.promote("1", BadModel("cut off"))
    tried: list[float] = []
    for _ in range(200):
        models.look()
        if len(registry.loads) > len(tried):
            tried.append(now)
        now += 1
    pauses = [round(later - earlier) for earlier, later in pairwise(tried)]
    assert pauses[:5] == [3, 6, 12, 24, 48] and max(pauses) <= 60
    registry.versions["1"] = model()
    now += 60
    models.look()
    assert models.champion is not None and models.fault is None and models.load_fault is None


def test_a_registry_that_is_away_changes_nothing_for_callers() -> None:
    async def scenario() -> None:
        async with serving() as one:
            one.registry.fault = "the registry is away"
            one.models.look()
            assert await version(one) == "1"
            assert (await one.client.get("/ready")).status_code == 200
            assert (await one.client.get("/health")).json()["warnings"] == ["the registry is away"]
            one.registry.fault = None
            one.registry.promote("2", Unavailable("the artifacts are away"))
            one.models.look()
            assert await version(one) == "1"
            one.registry.versions["2"] = model()
            one.models.look()
            assert await version(one) == "2", "an outage while loading is no fault of the version: it is tried at once"

    run(scenario())


def test_without_a_champion_it_is_alive_not_ready_and_says_what_to_do() -> None:
    """Also when the alias is taken away from one that served: whoever withdraws a model wants it to stop."""
    async def scenario() -> None:
        async with serving() as one:
            one.registry.number = None
            one.models.look()
            for path in ("/v1/predict", "/v1/predict/batch"):
                body = {"instances": [{"patient_id": PATIENT}]} if path.endswith("batch") else {"patient_id": PATIENT}
                answer = await one.predict(body, path)
                assert (answer.status_code, answer.json()["error"]) == (503, "no-champion")
                assert "train" in answer.json()["message"] and "Retry-After" in answer.headers
            assert (await one.client.get("/v1/model", headers=JSON)).status_code == 503
            assert (await one.client.get("/health")).status_code == 200
            ready = await one.client.get("/ready")
            assert ready.status_code == 503 and "champion" in ready.json()["checks"]["model"]
            one.registry.number = "1"
            one.models.look()
            assert await version(one) == "1"

    run(scenario())


def test_a_first_champion_that_cannot_be_used_is_named_in_the_503() -> None:
    registry = FakeRegistry()
    models = Models(registry, NAME)
    registry.promote("4", BadModel("its digest does not fit"))
    models.look()
    assert models.fault is not None and "version 4" in models.fault and "digest" in models.fault
