"""Rules of operation: outages are answered with their reason and pass; health tells alive from ready; bounds hold."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

from applications.ml.serving.inputs import Instance
from applications.ml.serving.judging import Judge
from tests.unit.ml.serving_fakes import JSON, PATIENT, Serving, full, run, serving


async def status(one: Serving, body: object = None) -> tuple[int, str | None]:
    """The status of a prediction and the word of its error."""
    answer = await one.predict(body or {"patient_id": PATIENT})
    if answer.status_code == 503:
        assert int(answer.headers["Retry-After"]) >= 1
    return answer.status_code, answer.json().get("error")


def test_while_the_store_is_away_patients_get_503_and_given_features_are_served() -> None:
    """After the first failure requests fail at once, and a look that finds it well ends it."""
    async def scenario() -> None:
        async with serving() as one:
            one.features.fault = "Redis does not answer"
            assert await status(one) == (503, "features-away")
            assert await status(one) == (503, "features-away")
            assert len(one.features.reads) == 1
            assert await status(one, {"features": full()}) == (200, None)
            results = await one.batch({"patient_id": PATIENT}, {"features": full()})
            assert results[0]["error"]["status"] == 503 and results[1]["prediction"]
            whole = await one.predict({"instances": [{"patient_id": PATIENT}] * 2}, "/v1/predict/batch")
            assert whole.status_code == 503 and "Redis does not answer" in whole.json()["message"]
            ready = await one.client.get("/ready")
            assert (ready.status_code, ready.json()["checks"]["features"]) == (503, "Redis does not answer")
            assert (await one.client.get("/health")).status_code == 200
            one.features.fault = None
            one.store.look()
            assert await status(one) == (200, None)
            assert (await one.client.get("/ready")).status_code == 200

    run(scenario())


def test_kafka_that_is_away_at_a_look_refuses_before_any_work() -> None:
    async def scenario() -> None:
        async with serving() as one:
            one.recorder.fault = "Kafka does not answer"
            one.audit.look()
            assert await status(one) == (503, "audit-away")
            assert await status(one, {"features": full()}) == (503, "audit-away")
            assert one.features.reads == [] and one.recorder.sent == []
            assert (await one.client.get("/ready")).json()["checks"]["audit"] == "Kafka does not answer"
            one.recorder.fault = None
            one.audit.look()
            assert await status(one) == (200, None)

    run(scenario())


def test_before_the_first_look_it_is_alive_and_not_ready() -> None:
    async def scenario() -> None:
        async with serving(looked=False) as one:
            assert (await one.client.get("/health")).status_code == 200
            ready = await one.client.get("/ready")
            assert ready.status_code == 503
            assert all("has not been asked" in words for words in ready.json()["checks"].values())
            assert await status(one) == (503, "no-champion")

    run(scenario())


def test_a_request_too_many_is_put_off_and_the_others_are_served() -> None:
    async def scenario() -> None:
        async with serving(max_in_flight=2) as one:
            one.recorder.hold = True
            asking = [asyncio.create_task(one.predict({"patient_id": PATIENT})) for _ in range(2)]
            while len(one.recorder.held) < 2:
                await asyncio.sleep(0.001)
            assert await status(one) == (503, "busy")
            assert (await one.client.get("/health")).status_code == 200
            for future in one.recorder.held:
                future.set_result(None)
            assert [answer.status_code for answer in await asyncio.gather(*asking)] == [200, 200]
            one.recorder.hold = False
            assert await status(one) == (200, None)

    run(scenario())


def test_a_body_that_does_not_end_is_given_up() -> None:
    async def scenario() -> None:
        async with serving(read_seconds=0.05) as one:
            async def never() -> AsyncIterator[bytes]:
                yield b"{"
                await asyncio.sleep(10)

            answer = await one.client.post("/v1/predict", content=never(), headers=JSON)
            assert (answer.status_code, answer.json()["error"]) == (408, "too-slow")

    run(scenario())


def test_a_slow_store_does_not_hold_up_health_or_who_needs_no_store() -> None:
    async def scenario() -> None:
        async with serving() as one:
            opened = threading.Event()
            one.features.hold = lambda: assert_opened(opened)
            slow = asyncio.create_task(one.predict({"patient_id": PATIENT}))
            await asyncio.sleep(0.02)
            assert (await one.client.get("/health")).status_code == 200
            assert await status(one, {"features": full()}) == (200, None)
            assert not slow.done()
            opened.set()
            assert (await slow).status_code == 200

    run(scenario())


def assert_opened(event: threading.Event) -> None:
    """Waits for a test to go on."""
    assert event.wait(10)


def test_metrics_tell_latency_scores_missing_features_age_and_version() -> None:
    async def scenario() -> None:
        async with serving() as one:
            await status(one)
            await status(one, {"features": {"age": 1}})
            text = (await one.client.get("/metrics")).text
            for sample in ('serving_request_seconds_count{path="/v1/predict",status="200"}',
                           'serving_request_seconds_count{path="/v1/predict",status="422"}', "serving_probability_count",
                           "serving_missing_share_count", "serving_features_age_seconds_count",
                           'serving_refused_total{error="invalid"}', 'serving_model_info{features_version="',
                           'serving_available{need="audit"} 1.0',
                           "serving_model_load_failures_total"):
                assert sample in text, sample
            assert PATIENT not in text

    run(scenario())


def test_nothing_is_kept_of_a_request() -> None:
    """A judge has no state of its own but its bounds: there is no cache in which patients could meet."""
    async def scenario() -> None:
        async with serving() as one:
            judge = Judge(one.store, 1, 1)
            before = dict(vars(judge))
            champion = one.models.champion
            assert champion is not None
            judge.judge([Instance(PATIENT, None), Instance(None, full())], champion, "ward")
            assert vars(judge) == before

    run(scenario())
