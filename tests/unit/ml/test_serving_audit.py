"""Rules of the audit: a prediction is seen only once its record is confirmed, and the record holds all that it rests on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from applications.clinical.models import SCHEMA_VERSION
from applications.clinical.predictions import PREDICTIONS_TOPIC, Prediction
from applications.ml.features import registry
from applications.ml.features.registry import NAMES
from applications.runtime.kafka import PublishError
from tests.unit.ml.serving_fakes import NAME, OTHER, PATIENT, full, model, run, serving


def test_the_record_holds_the_prediction_and_all_that_it_rests_on() -> None:
    """From the record alone the probability can be made again; it is keyed by patient, or by its own id without one."""
    async def scenario() -> None:
        async with serving() as one:
            values = full(sodium_latest=None)
            one.features.put(PATIENT, values)
            answers = [(await one.predict(body)).json() for body in ({"patient_id": PATIENT}, {"features": full(age=44)})]
            (topic, key, record), (_, second_key, second) = one.recorder.sent
            assert (topic, key, second_key) == (PREDICTIONS_TOPIC, PATIENT, answers[1]["prediction_id"])
            for answer, written in zip(answers, (record, second), strict=True):
                for same in ("prediction_id", "probability", "threshold", "class", "contributions"):
                    assert written[same] == answer[same]
                assert set(written["features"]) == set(NAMES)
                again = model(age=0.02, heart_rate_mean_6h=0.01).predict_rows([written["features"]]).probabilities[0]
                assert written["probability"] == pytest.approx(float(again))
                assert (written["requested_by"], written["model_name"], written["model_version"]) == ("ward", NAME, "1")
                assert (written["features_version"], written["schema_version"]) == (registry.VERSION, SCHEMA_VERSION)
                assert Prediction.model_validate(written).as_json()
            assert record["features"] == values and record["patient_id"] == PATIENT
            assert record["features_time"].startswith(answers[0]["features_time"][:23])
            assert second["patient_id"] is None and second["features_time"] is None

    run(scenario())


def test_no_answer_before_the_broker_has_confirmed() -> None:
    async def scenario() -> None:
        async with serving() as one:
            one.recorder.hold = True
            asking = asyncio.create_task(one.predict({"patient_id": PATIENT}))
            while not one.recorder.held:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.05)
            assert not asking.done()
            one.recorder.held[0].set_result(None)
            assert (await asking).status_code == 200

    run(scenario())


def test_what_the_broker_does_not_confirm_is_not_served() -> None:
    """503 with Retry-After; then requests are refused at once, and nothing more is queued, until a look finds it well."""
    async def scenario() -> None:
        async with serving() as one:
            one.recorder.failure = "timed out"
            answer = await one.predict({"patient_id": PATIENT})
            assert (answer.status_code, answer.json()["error"]) == (503, "audit-away")
            assert "timed out" in answer.json()["message"] and int(answer.headers["Retry-After"]) >= 1
            assert "probability" not in answer.text
            one.recorder.failure = None
            assert (await one.predict({"patient_id": PATIENT})).status_code == 503
            assert len(one.recorder.sent) == 1
            one.audit.look()
            assert (await one.predict({"patient_id": PATIENT})).status_code == 200

    run(scenario())


def test_in_a_batch_what_was_not_confirmed_is_an_error_of_its_own() -> None:
    async def scenario() -> None:
        async with serving() as one:
            one.features.put(OTHER)
            one.recorder.hold = True
            asking = asyncio.create_task(one.batch({"patient_id": PATIENT}, {"patient_id": OTHER}))
            while len(one.recorder.held) < 2:
                await asyncio.sleep(0.001)
            one.recorder.held[0].set_result(None)
            one.recorder.held[1].set_exception(PublishError("not enough replicas"))
            served, failed = await asking
            assert served["prediction"]["patient_id"] == PATIENT
            assert (failed["error"]["status"], failed["error"]["error"]) == (503, "audit-away")

    run(scenario())


@pytest.mark.parametrize("body", [
    {"patient_id": OTHER}, {"features": {"age": 1}}, {"features": {"age": 61}}])
def test_what_was_not_predicted_is_not_audited(body: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with serving() as one:
            assert (await one.predict(body)).status_code in (404, 409, 422)
            assert one.recorder.sent == []

    run(scenario())
