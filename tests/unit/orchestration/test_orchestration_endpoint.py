"""The client of job endpoints, against the real endpoint with a toy job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from applications.orchestration.endpoint import AwayError, Endpoint, ForgottenError, Jobs, RefusedError
from tests.unit.jobs.conftest import KEY
from tests.unit.jobs.conftest import Endpoint as ToyEndpoint

PLACE = Endpoint("spark_batch", "http://spark-batch:8080", KEY, "processing")


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ToyEndpoint]:
    """The endpoint that the client under test talks to; its jobs do not run before `start`."""
    monkeypatch.setenv("SERVICE", "jobs")
    monkeypatch.setenv("LAYER", "test")
    found = ToyEndpoint(tmp_path)
    monkeypatch.setattr(Endpoint, "client", lambda _: found.client)
    yield found
    found.end()


def answering(monkeypatch: pytest.MonkeyPatch, status: int, text: str = "") -> Jobs:
    """A client whose every request is answered so."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text=text))
    monkeypatch.setattr(Endpoint, "client", lambda _: httpx.Client(transport=transport, base_url=PLACE.url))
    return Jobs(PLACE)


def test_a_job_from_submission_to_its_log(toy: ToyEndpoint) -> None:
    """What it was asked for, its end, and the last lines of its log."""
    jobs = Jobs(PLACE)
    identity = jobs.submit("toy", {"count": 3}, "a/key")["id"]
    assert jobs.get(identity)["status"] == "queued"
    toy.start()
    toy.over(identity)
    assert jobs.get(identity)["result"] == {"counted": 3}
    assert "job-result" in jobs.tail(identity, 1)[0]


def test_one_key_is_one_job(toy: ToyEndpoint) -> None:
    """A task that is started twice in one try finds its job again, and no second one is queued."""
    jobs = Jobs(PLACE)
    first = jobs.submit("toy", {"count": 3}, "a/key")["id"]
    assert jobs.submit("toy", {"count": 3}, "a/key")["id"] == first
    assert jobs.submit("toy", {"count": 3}, "another/key")["id"] != first


def test_a_refusal_names_every_reason(toy: ToyEndpoint) -> None:
    """RefusedError: no other try would help, so the words must say what to mend."""
    with pytest.raises(RefusedError, match=r"parameters\.end: .*; parameters\.count: "):
        Jobs(PLACE).submit("toy", {"end": "never", "count": -1}, "a/key")
    assert toy.client.get("/jobs").json() == {"jobs": []}


def test_a_cancelled_job_and_one_that_is_over(toy: ToyEndpoint) -> None:
    """The first is cancelled, the second needs no cancellation, nor does one that is unknown."""
    jobs = Jobs(PLACE)
    identity = jobs.submit("toy", {}, "a/key")["id"]
    for known in (identity, identity, "unknown"):
        jobs.cancel(known)
    assert jobs.get(identity)["status"] == "cancelled"


def test_a_job_that_is_not_known_any_more(toy: ToyEndpoint) -> None:
    """ForgottenError, for the job and for its log."""
    for ask in (lambda: Jobs(PLACE).get("x"), lambda: Jobs(PLACE).tail("x", 5)):
        with pytest.raises(ForgottenError, match="Run the task again"):
            ask()


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_an_endpoint_that_cannot_now(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """AwayError, which is tried again, with where to look."""
    with pytest.raises(AwayError, match=rf"answers {status}: see `\./pipeline processing logs`"):
        answering(monkeypatch, status).submit("toy", {}, "a/key")


@pytest.mark.parametrize(("status", "text", "words"), [
    (401, '{"error": "an API key is needed"}', "an API key is needed"),
    (409, '{"error": "this Idempotency-Key came before"}', "came before"),
    (404, "<html>", "is there a job endpoint at this address")])
def test_what_stays_wrong(monkeypatch: pytest.MonkeyPatch, status: int, text: str, words: str) -> None:
    """RefusedError with the endpoint's own words, or a hint where it has none."""
    with pytest.raises(RefusedError, match=words):
        answering(monkeypatch, status, text).submit("toy", {}, "a/key")


def test_nobody_listens() -> None:
    """AwayError with the address and what to do; the key is nowhere in it, nor in the endpoint's repr."""
    place = Endpoint("ml_training", "http://127.0.0.1:9", "a-secret-key-of-ours", "ml")
    with pytest.raises(AwayError, match=r"ml_training at http://127\.0\.0\.1:9 does not answer .*`\./pipeline ml start`") as caught:
        Jobs(place).get("x")
    assert "a-secret-key-of-ours" not in f"{caught.value}{place!r}"
