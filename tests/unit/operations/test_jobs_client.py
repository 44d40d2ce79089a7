"""A job endpoint as the management command uses it: what it submits, how it waits, and what it says when that fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from components.processing.settings import ProcessingSettings
from components.settings import Settings
from operations import jobs as client
from operations.faults import OperationError
from operations.jobs import Jobs, parameters_of
from tests.unit.components.recorded import PROJECT, STACK, configuration
from tests.unit.operations.jobs_fake import Endpoint, serving


def jobs_on(port: int) -> Jobs:
    """The client of an endpoint on this port, with the stack's key."""
    settings = Settings.parse(PROJECT, STACK, configuration(ports={"spark-batch": port}))
    return Jobs(settings, ProcessingSettings, "spark-batch", "spark-jobs-key")


@pytest.fixture
def endpoint() -> Endpoint:
    """What the server knows."""
    return Endpoint()


@pytest.fixture
def jobs(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    """The client of that server, which loses no time between looks."""
    monkeypatch.setattr(client, "SHORTEST_PAUSE", 0.01)
    with serving(endpoint.answer) as (port, _):
        yield jobs_on(port)


def test_waiting_ends_with_the_job(endpoint: Endpoint, jobs: Jobs) -> None:
    """Each look is told, and a job that succeeded is handed on."""
    job = jobs.submit("gold", {"from": "2026-11-24"})
    assert job["parameters"] == {"from": "2026-11-24"}
    endpoint.states = ["queued", "running", "succeeded"]
    told: list[str] = []
    assert jobs.end_well(jobs.wait(job["id"], told.append))["status"] == "succeeded"
    assert told == ["job-1 is queued", "job-1 is running"]


def test_a_job_that_fails_says_why_with_the_end_of_its_log(endpoint: Endpoint, jobs: Jobs) -> None:
    """The job's own words come first."""
    job = endpoint.add("gold", "failed")
    job["error"], endpoint.lines = "the table cannot be read", [f"line {number}" for number in range(30)]
    with pytest.raises(OperationError, match=r"job-1 failed: the table cannot be read\n(?s:.*)line 29\nWhat to do") as fault:
        jobs.end_well(jobs.job("job-1"))
    assert "line 10" in str(fault.value) and "line 9\n" not in str(fault.value)


def test_a_refusal_names_every_field(endpoint: Endpoint, jobs: Jobs) -> None:
    """As the endpoint does."""
    endpoint.refusal = 422, {"error": "the parameters are not valid", "reasons": [
        {"field": "parameters.from", "message": "Field required"}, {"field": "parameters.to", "message": "is in the future"}]}
    with pytest.raises(OperationError, match=r"\(422\): the parameters are not valid; .*from: Field required; .*to: is in the"):
        jobs.submit("gold", {})


def test_an_endpoint_that_restarts_is_waited_for(endpoint: Endpoint, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is in its queue still."""
    endpoint.add("gold", "running")
    looks = iter([client.Away("away"), endpoint.jobs["job-1"] | {"status": "succeeded"}])

    def look(_: str) -> client.Job:
        found = next(looks)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(jobs, "job", look)
    assert jobs.wait("job-1")["status"] == "succeeded"


def test_an_endpoint_that_stays_away_is_not_waited_for_for_ever(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own message says what to do."""
    def away(_: str) -> client.Job:
        raise client.Away("spark-batch does not answer")

    monkeypatch.setattr(client, "AWAY_SECONDS", 0)
    monkeypatch.setattr(jobs, "job", away)
    with pytest.raises(OperationError, match="does not answer"):
        jobs.wait("job-1")


def test_a_service_that_does_not_answer() -> None:
    """The command that starts it is named, and no trace of the library's."""
    with serving(Endpoint().answer) as (port, _):
        jobs = jobs_on(port)
    with pytest.raises(OperationError, match=r"spark-batch does not answer .*`\./pipeline processing start --stack unit`"):
        jobs.latest()


def test_a_key_that_is_not_taken() -> None:
    """After a rotation that only half happened, say."""
    with serving(Endpoint(key="another").answer) as (port, _), \
            pytest.raises(OperationError, match=r"does not take the stack's key; `\./pipeline processing start-force"):
        jobs_on(port).latest()


def test_parameters_are_json_where_they_can_be() -> None:
    """Numbers, truth and lists; a day is text."""
    assert parameters_of(["days=3", "promote=false", 'tables=["silver/lab-results"]', "from=2026-11-24", "note=a=b"]) == {
        "days": 3, "promote": False, "tables": ["silver/lab-results"], "from": "2026-11-24", "note": "a=b"}


@pytest.mark.parametrize(("given", "words"), [(["days"], "write name=value"), (["=3"], "write name=value"),
                                              (["days=3", "days=4"], "given twice")])
def test_parameters_that_are_none(given: list[str], words: str) -> None:
    """Said before anything is submitted."""
    with pytest.raises(OperationError, match=words):
        parameters_of(given)
