"""Rules of answers: a prediction says what it rests on; whatever cannot be predicted is refused with its reason, by field."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from applications.ml.features.registry import NAMES
from applications.ml.serving.inputs import MOST_INSTANCES
from tests.unit.ml.serving_fakes import JSON, KEY, NAME, OTHER, PATIENT, Serving, full, model, run, serving


def refused(answer: httpx.Response, status: int, error: str) -> dict[str, Any]:
    """The body of a refusal, which has this status and word."""
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["error"]) == (status, error), answer.text
    assert len(body["message"]) > 20
    return body


def test_a_patients_prediction_says_what_it_rests_on() -> None:
    """The probability is the model's own, of the values in the store; class, version, age and contributions go with it."""
    async def scenario() -> None:
        async with serving() as one:
            values = full(age=70.0, heart_rate_mean_6h=140.0, sodium_latest=None)
            one.features.put(PATIENT, values, age=90)
            answer = await one.predict({"patient_id": PATIENT})
            assert answer.status_code == 200
            body = answer.json()
            expected = float(model(age=0.02, heart_rate_mean_6h=0.01).predict_rows([values]).probabilities[0])
            assert body["probability"] == pytest.approx(expected)
            assert body["probability"] == pytest.approx(1 / (1 + math.exp(3 - 1.4 - 1.4)))
            assert (body["threshold"], body["class"], body["patient_id"]) == (0.2, "high-risk", PATIENT)
            assert body["model"] == {"name": NAME, "version": "1", "alias": "champion"}
            assert body["features_age_seconds"] == pytest.approx(90, abs=20)
            assert datetime.fromisoformat(body["features_time"]) == one.features.patients[PATIENT].cutoff
            assert body["missing_features"] == ["sodium_latest"]
            top = body["contributions"]
            assert len(top) == 5
            assert {top[0]["feature"], top[1]["feature"]} == {"age", "heart_rate_mean_6h"}
            assert all(entry["contribution"] == pytest.approx(1.4) for entry in top[:2])
            assert {entry["value"] for entry in top[:2]} == {70.0, 140.0}
            assert abs((datetime.fromisoformat(body["time"]) - datetime.now(UTC)).total_seconds()) < 20

    run(scenario())


def test_given_features_are_scored_as_given_and_have_no_age() -> None:
    """What is left out is unknown, never 0; there is no patient and no features_time in the answer."""
    async def scenario() -> None:
        async with serving(max_missing_share=1) as one:
            body = (await one.predict({"features": {"age": 30, "sex": "female"}})).json()
            assert body["probability"] == pytest.approx(1 / (1 + math.exp(3 - 0.6)))
            assert body["class"] == "low-risk"
            assert not {"patient_id", "features_time", "features_age_seconds"} & body.keys()
            assert set(body["missing_features"]) == set(NAMES) - {"age", "sex"}
            assert one.features.reads == []

    run(scenario())


def test_who_is_not_known_or_known_too_little_or_too_long_ago_gets_no_prediction() -> None:
    """404 for an unknown patient, 409 for old features and for too many unknown ones; nothing of it is audited."""
    async def scenario() -> None:
        async with serving() as one:
            refused(await one.predict({"patient_id": OTHER}), 404, "unknown-patient")
            one.features.put(OTHER, age=3700)
            assert "3600" in refused(await one.predict({"patient_id": OTHER}), 409, "stale-features")["message"]
            one.features.put(OTHER, age=3500)
            assert (await one.predict({"patient_id": OTHER})).status_code == 200
            known = dict(list(full().items())[:len(NAMES) * 2 // 5 - 1])
            one.features.put(OTHER, known)
            refused(await one.predict({"patient_id": OTHER}), 409, "missing-features")
            refused(await one.predict({"features": known}), 409, "missing-features")
            one.features.put(OTHER, full(**dict.fromkeys(NAMES[:60], float("nan"))))
            answer = await one.predict({"patient_id": OTHER})
            assert answer.status_code == 200 and answer.json()["missing_features"] == list(NAMES[:60])
            assert len(one.recorder.sent) == 2

    run(scenario())


INVALID = [
    ({}, "missing-field", ""), ([], "not-an-object", ""), ("PT0000A1B2", "not-an-object", ""),
    ({"patient_id": PATIENT, "features": {}}, "invalid-value", ""),
    ({"patient_id": PATIENT, "cache": True}, "invalid-value", "cache"),
    ({"patient_id": 7}, "wrong-type", "patient_id"), ({"patient_id": "PT0000a1b2"}, "invalid-value", "patient_id"),
    ({"patient_id": PATIENT + "\n"}, "invalid-value", "patient_id"), ({"patient_id": None}, "wrong-type", "patient_id"),
    ({"features": [1]}, "wrong-type", "features"), ({"features": {"heart_rate": 80}}, "invalid-value", "features.heart_rate"),
    ({"features": {"age": "61"}}, "wrong-type", "features.age"), ({"features": {"age": True}}, "wrong-type", "features.age"),
    ({"features": {"age": 17.9}}, "impossible-value", "features.age"),
    ({"features": {"age": 121}}, "impossible-value", "features.age"),
    ({"features": {"sex": 1}}, "wrong-type", "features.sex"), ({"features": {"sex": "Female"}}, "invalid-value", "features.sex")]


@pytest.mark.parametrize(("body", "code", "field"), INVALID)
def test_an_invalid_request_is_refused_with_the_field_and_the_code(body: object, code: str, field: str) -> None:
    async def scenario() -> None:
        async with serving() as one:
            reasons = refused(await one.predict(body), 422, "invalid")["reasons"]
            assert [(reason["code"], reason["field"]) for reason in reasons] == [(code, field)]
            assert one.recorder.sent == []

    run(scenario())


def test_every_fault_of_a_request_is_named_at_once() -> None:
    async def scenario() -> None:
        async with serving() as one:
            body = {"features": {"age": 5, "sex": "x", "pulse": 1, "sodium_latest": None, "potassium_latest": 99}, "why": 1}
            reasons = refused(await one.predict(body), 422, "invalid")["reasons"]
            assert [reason["field"] for reason in reasons] == [
                "why", "features.age", "features.sex", "features.pulse", "features.potassium_latest"]
            assert "18" in reasons[1]["message"] and "120" in reasons[1]["message"] and "female" in reasons[2]["message"]

    run(scenario())


def test_in_a_batch_each_instance_has_its_own_result() -> None:
    """In the order of the request, errors among predictions; more than one part of work, so that parts cannot mix."""
    async def scenario() -> None:
        async with serving() as one:
            patients = [f"PT{number:08d}" for number in range(50)]
            for number, patient in enumerate(patients):
                one.features.put(patient, full(age=20.0 + number, heart_rate_mean_6h=0.0))
            instances: list[object] = [{"patient_id": patient} for patient in patients]
            instances[7:7] = [{"patient_id": OTHER}, {"features": {"age": 3}}, {"features": full(age=90, heart_rate_mean_6h=0)}]
            results = await one.batch(*instances)
            assert len(results) == 53
            assert results[7]["error"]["status"] == 404 and results[8]["error"]["status"] == 422
            assert results[8]["error"]["reasons"][0]["field"] == "features.age"
            assert results[9]["prediction"]["probability"] == pytest.approx(1 / (1 + math.exp(3 - 1.8)))
            rest = results[:7] + results[10:]
            assert [result["prediction"]["patient_id"] for result in rest] == patients
            for number, result in enumerate(rest):
                assert result["prediction"]["probability"] == pytest.approx(1 / (1 + math.exp(3 - 0.02 * (20 + number))))

    run(scenario())


@pytest.mark.parametrize(("body", "field"), [
    ([], ""), ({}, "instances"), ({"instances": {}}, "instances"), ({"instances": []}, "instances"),
    ({"instances": [{"patient_id": PATIENT}] * (MOST_INSTANCES + 1)}, "instances"),
    ({"instances": [{"patient_id": PATIENT}], "alias": "x"}, "alias")])
def test_a_batch_that_is_wrong_as_a_whole_is_refused_as_a_whole(body: object, field: str) -> None:
    async def scenario() -> None:
        async with serving() as one:
            reasons = refused(await one.predict(body, "/v1/predict/batch"), 422, "invalid")["reasons"]
            assert [reason["field"] for reason in reasons] == [field]

    run(scenario())


def test_the_same_features_of_two_patients_are_two_predictions() -> None:
    """Nothing is kept between requests: equal values give equal probabilities under each patient's own name and id."""
    async def scenario() -> None:
        async with serving() as one:
            one.features.put(OTHER, one.features.patients[PATIENT].values)
            first, second = [(await one.predict({"patient_id": name})).json() for name in (PATIENT, OTHER)]
            assert first["probability"] == second["probability"]
            assert (first["patient_id"], second["patient_id"]) == (PATIENT, OTHER)
            assert first["prediction_id"] != second["prediction_id"]
            one.features.put(PATIENT, full(age=118.0))
            assert (await one.predict({"patient_id": PATIENT})).json()["probability"] > first["probability"]

    run(scenario())


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch"])
def test_who_has_no_key_or_a_wrong_one_learns_nothing(path: str) -> None:
    async def scenario() -> None:
        async with serving() as one:
            answer = await one.predict(b"{", path, {"Content-Type": "application/json"})
            refused(answer, 401, "no-key")
            assert answer.headers["WWW-Authenticate"]
            refused(await one.predict(b"{", path, {**JSON, "X-API-Key": KEY[::-1]}), 403, "wrong-key")
            assert (await one.client.get("/v1/model")).status_code == 401
            assert (await one.client.get("/v1/model", headers={"X-API-Key": KEY[::-1]})).status_code == 403
            assert one.features.reads == []
            bearer = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
            assert (await one.predict({"patient_id": PATIENT}, headers=bearer)).status_code == 200

    run(scenario())


def test_a_body_that_is_too_large_broken_or_of_another_kind_is_refused() -> None:
    async def scenario() -> None:
        async with serving(max_body_bytes=1024) as one:
            refused(await one.predict(b" " * 1025), 413, "too-large")
            refused(await one.predict(b'{"patient_id": '), 400, "unparseable")
            refused(await one.predict(b'{"features": {"age": NaN}}'), 400, "unparseable")
            refused(await one.predict(b"{}", headers={**JSON, "Content-Type": "text/plain"}), 415, "unsupported-media-type")
            refused(await one.predict(b"{}", headers={**JSON, "Content-Encoding": "gzip"}), 415, "unsupported-media-type")

            async def parts() -> Any:
                for _ in range(3):
                    yield b" " * 500

            refused(await one.client.post("/v1/predict", content=parts(), headers=JSON), 413, "too-large")

    run(scenario())


def test_a_fault_of_ours_is_answered_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    """A value of the store that no model can read ends in 500; neither the answer nor the log holds it."""
    async def scenario(one: Serving) -> None:
        one.features.put(PATIENT, full(age="CANARY"))
        answer = await one.predict({"patient_id": PATIENT})
        refused(answer, 500, "fault")
        assert "CANARY" not in answer.text

    async def whole() -> None:
        async with serving() as one:
            await scenario(one)

    run(whole())
    assert "CANARY" not in caplog.text and PATIENT not in caplog.text
