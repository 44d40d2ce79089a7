"""The job endpoint: who may ask, what it refuses and why, how a job ends, and what a restart leaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from applications.jobs.job import brief
from applications.jobs.store import Status, Store
from tests.unit.jobs.conftest import KEY, Endpoint, until


@pytest.mark.parametrize("path", ["/jobs", "/jobs/x", "/jobs/x/logs"])
def test_nobody_without_a_key_and_no_wrong_key(endpoint: Endpoint, path: str) -> None:
    """401 without a key, 403 with one that is not ours; a bearer token is as good as the header."""
    client = endpoint.client
    client.headers.pop("X-API-Key")
    assert client.get(path).status_code == 401
    assert client.get(path, headers={"X-API-Key": KEY + "x"}).status_code == 403
    assert client.get(path, headers={"Authorization": f"Bearer {KEY}"}).status_code in (200, 404)
    assert client.post("/jobs", json={"kind": "toy"}).status_code == 401
    assert client.delete("/jobs/x").status_code == 401


def test_health_and_metrics_need_no_key(endpoint: Endpoint) -> None:
    """Probes and Prometheus have none; and health is not well before the runner lives."""
    endpoint.client.headers.pop("X-API-Key")
    before = endpoint.client.get("/health")
    assert before.status_code == 503 and "runners ended" in before.json()["checks"]["runner"]
    endpoint.start()
    assert endpoint.client.get("/health").json() == {"status": "healthy", "checks": {"queue": "ok", "runner": "ok"}}
    assert 'jobs{status="queued"} 0.0' in endpoint.client.get("/metrics").text


@pytest.mark.parametrize(("body", "fields"), [
    ({}, ["kind"]),
    ({"kind": "other"}, ["kind"]),
    ({"kind": "toy", "parameters": 1, "more": 2}, ["parameters", "more"]),
    ({"kind": "toy", "parameters": {"end": "never", "count": -1}}, ["parameters.end", "parameters.count"]),
])
def test_a_refusal_names_every_field(endpoint: Endpoint, body: dict[str, object], fields: list[str]) -> None:
    """422 lists all faults at once, and nothing is queued."""
    answer = endpoint.client.post("/jobs", json=body)
    assert answer.status_code == 422
    assert [reason["field"] for reason in answer.json()["reasons"]] == fields
    assert endpoint.client.get("/jobs").json() == {"jobs": []}


def test_a_body_that_is_no_json_is_refused(endpoint: Endpoint) -> None:
    """422, not a crash."""
    assert endpoint.client.post("/jobs", content=b"{", headers={"Content-Type": "application/json"}).status_code == 422


def test_an_unknown_job_is_404(endpoint: Endpoint) -> None:
    """For each thing that can be asked of a job."""
    for method, path in (("GET", "/jobs/x"), ("GET", "/jobs/x/logs"), ("DELETE", "/jobs/x")):
        assert endpoint.client.request(method, path).status_code == 404


def test_a_job_that_succeeds_tells_its_result(endpoint: Endpoint) -> None:
    """Status, times, parameters with their defaults, result and log."""
    identity = endpoint.submit(count=3)
    assert endpoint.job(identity)["status"] == "queued"
    endpoint.start()
    job = endpoint.over(identity)
    assert (job["status"], job["result"], job["error"]) == ("succeeded", {"counted": 3}, None)
    assert job["parameters"] == {"end": "well", "count": 3, "flag": None}
    assert job["submitted"] <= job["started"] <= job["finished"]
    lines = endpoint.client.get(f"/jobs/{identity}/logs").text.splitlines()
    assert any("job-started" in line for line in lines) and "job-result" in lines[-1]
    assert endpoint.client.get(f"/jobs/{identity}/logs?lines=1").text.splitlines() == lines[-1:]


@pytest.mark.parametrize(("end", "error"), [
    ("refuse", "there is nothing to count"), ("raise", "ArithmeticError: first line"),
    ("silent", "its process ended with status 7")])
def test_a_job_that_fails_tells_its_own_last_error(endpoint: Endpoint, end: str, error: str) -> None:
    """Not the endpoint's words, and one line of them."""
    endpoint.start()
    job = endpoint.over(endpoint.submit(end=end))
    assert (job["status"], job["error"], job["result"]) == ("failed", error, None)


@pytest.mark.parametrize(("text", "words"), [
    ("", "ValueError: "), ("one\ntwo", "ValueError: one"), ("call failed\n: a.B: no such table\n\tat c.d", "a.B: no such table"),
    ("call failed\n: a.B: aborted\n\tat c.d\nCaused by: e.F: task\n\tat g\nCaused by: h.I: disk full\n\tat j", "h.I: disk full")])
def test_an_error_of_a_virtual_machine_is_told_by_its_cause(text: str, words: str) -> None:
    """And not by the number of an object in its bridge."""
    assert brief(ValueError(text)) == words


def test_jobs_run_one_at_a_time_in_their_order(endpoint: Endpoint, tmp_path: Path) -> None:
    """The second begins once the first is over."""
    flag = tmp_path / "runs"
    first, second = endpoint.submit(end="sleep", flag=str(flag)), endpoint.submit()
    endpoint.start()
    until(flag.exists, "the first runs")
    assert (endpoint.job(first)["status"], endpoint.job(second)["status"]) == ("running", "queued")
    assert [job["id"] for job in endpoint.client.get("/jobs").json()["jobs"]] == [second, first]
    assert [job["id"] for job in endpoint.client.get("/jobs?status=queued").json()["jobs"]] == [second]
    assert endpoint.client.delete(f"/jobs/{first}").status_code == 202
    assert endpoint.over(first)["status"] == "cancelled"
    assert endpoint.over(second)["status"] == "succeeded"
    assert endpoint.job(first)["finished"] <= endpoint.job(second)["started"]


def test_a_queued_job_is_cancelled_and_never_runs(endpoint: Endpoint, tmp_path: Path) -> None:
    """And what is over can be cancelled no more: 409."""
    identity = endpoint.submit(flag=str(tmp_path / "runs"))
    assert endpoint.client.delete(f"/jobs/{identity}").json()["status"] == "cancelled"
    assert endpoint.client.delete(f"/jobs/{identity}").status_code == 409
    endpoint.start()
    assert endpoint.over(endpoint.submit())["status"] == "succeeded"
    assert not (tmp_path / "runs").exists()


def test_an_idempotency_key_makes_one_job(endpoint: Endpoint) -> None:
    """A repeat is answered with the job that there is; another request under the key is refused."""
    def post(count: int, key: str) -> tuple[int, str | None]:
        answer = endpoint.client.post("/jobs", json={"kind": "toy", "parameters": {"count": count}},
                                      headers={"Idempotency-Key": key})
        return answer.status_code, answer.json().get("id")
    first = post(1, "a")
    assert first[0] == 202 and post(1, "a") == first
    assert post(2, "a")[0] == 409
    assert post(1, "b")[1] != first[1]


def test_a_stop_ends_the_running_job_and_the_next_life_runs_the_queued(endpoint: Endpoint, tmp_path: Path) -> None:
    """The running one counts as interrupted; nothing queued is lost."""
    flag = tmp_path / "runs"
    running, queued = endpoint.submit(end="sleep", flag=str(flag)), endpoint.submit()
    endpoint.start()
    until(flag.exists, "the first runs")
    endpoint.end()
    endpoint.begin()
    assert endpoint.job(running)["error"] == "interrupted by a restart"
    assert (endpoint.job(running)["status"], endpoint.job(queued)["status"]) == ("failed", "queued")
    endpoint.start()
    assert endpoint.over(queued)["status"] == "succeeded"


def test_a_crash_leaves_no_job_running_for_ever(tmp_path: Path) -> None:
    """A store whose process was killed has a running job; the next process marks it."""
    store = Store(tmp_path / "jobs.sqlite")
    job, _ = store.add("toy", {})
    assert store.take() is not None
    again = Store(tmp_path / "jobs.sqlite")
    assert again.recover() == [job.id]
    assert (again.get(job.id).status, again.get(job.id).error) == (Status.FAILED, "interrupted by a restart")


def test_a_job_that_is_killed_says_so(endpoint: Endpoint, tmp_path: Path) -> None:
    """By the kernel for its memory, say: failed, with the signal when it said nothing itself."""
    flag = tmp_path / "runs"
    identity = endpoint.submit(end="sleep", flag=str(flag))
    endpoint.start()
    until(flag.exists, "it runs")
    (process,) = endpoint.runner._running.values()
    os.kill(process.pid, signal.SIGKILL)
    job = endpoint.over(identity)
    assert job["status"] == "failed" and "signal 9" in job["error"]


def test_old_jobs_are_forgotten_and_waiting_ones_never(tmp_path: Path) -> None:
    """The latest finished ones stay."""
    store = Store(tmp_path / "jobs.sqlite")
    jobs = [store.add("toy", {"count": count})[0].id for count in range(4)]
    for _ in range(3):
        taken = store.take()
        assert taken is not None
        store.finish(taken.id, Status.SUCCEEDED, result={})
    assert store.purge(1) == jobs[:2]
    assert [job.id for job in store.latest()] == [jobs[3], jobs[2]]
