"""Jobs that an endpoint submits by itself: when they are due, and that no fault of a schedule ends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from applications.jobs.app import create_app
from applications.jobs.schedule import Due, Scheduler, repeated
from applications.jobs.store import Status, Store
from tests.unit.jobs.conftest import KEY, KINDS, Endpoint, until


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store without jobs."""
    return Store(tmp_path / "jobs.sqlite")


def later(seconds: float) -> datetime:
    """So many seconds from now."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_the_first_is_due_at_once_and_none_while_one_waits_or_runs(store: Store) -> None:
    """A slow job is not queued twice, also when somebody else submitted it."""
    due = repeated("toy", 60)
    assert due(store) == Due("toy")
    job, _ = store.add("toy", {})
    assert repeated("toy", 60, lambda: later(1000))(store) is None
    store.take()
    assert repeated("toy", 60, lambda: later(1000))(store) is None
    store.finish(job.id, Status.SUCCEEDED)
    assert repeated("toy", 60, lambda: later(50))(store) is None
    assert repeated("toy", 60, lambda: later(61))(store) == Due("toy")


def test_jobs_of_other_kinds_do_not_count(store: Store) -> None:
    """Each kind has its own rhythm."""
    store.add("other", {})
    assert repeated("toy", 60)(store) == Due("toy")


def test_a_slow_job_rests_twice_as_long_as_it_ran(store: Store) -> None:
    """Or it would take the whole machine."""
    job, _ = store.add("toy", {})
    store.take()
    store.finish(job.id, Status.FAILED)
    began = datetime.now(UTC) - timedelta(seconds=100)
    store._database.execute("UPDATE jobs SET started = ?", (began.isoformat(),))
    assert repeated("toy", 60, lambda: later(190))(store) is None
    assert repeated("toy", 60, lambda: later(201))(store) == Due("toy")


def test_zero_is_never(store: Store) -> None:
    """Also for the first."""
    assert repeated("toy", 0)(store) is None


def test_a_due_job_is_submitted_and_runs(endpoint: Endpoint) -> None:
    """With its kind's defaults, like one that came over HTTP."""
    endpoint.start()
    scheduler = Scheduler(repeated("toy", 3600), endpoint.store, endpoint.runner, KINDS, look_seconds=0.01)
    scheduler.start()
    until(lambda: bool(endpoint.client.get("/jobs?status=succeeded").json()["jobs"]), "the job succeeds")
    scheduler.stop()
    (job,) = endpoint.client.get("/jobs").json()["jobs"]
    assert (job["kind"], job["parameters"], job["result"]) == ("toy", {"end": "well", "count": 1, "flag": None}, {"counted": 1})


def test_documents_are_answered_to_who_has_the_key(endpoint: Endpoint) -> None:
    """A registry, say: as JSON, by its path, and to nobody else."""
    app = create_app(endpoint.store, endpoint.runner, KINDS, KEY, "jobs", {"/features": {"version": "1"}, "/other": [1, 2]})
    client = TestClient(app, headers={"X-API-Key": KEY})
    assert client.get("/features").json() == {"version": "1"}
    assert client.get("/other").json() == [1, 2]
    client.headers.pop("X-API-Key")
    assert client.get("/features").status_code == 401


def test_a_schedule_that_raises_is_asked_again(endpoint: Endpoint) -> None:
    """A registry that is away for a while must not end it for good."""
    asked: list[int] = []

    def schedule(_: Store) -> Due | None:
        asked.append(1)
        if len(asked) < 3:
            raise ConnectionError("the registry is away")
        return Due("toy") if len(asked) == 3 else None

    scheduler = Scheduler(schedule, endpoint.store, endpoint.runner, KINDS, look_seconds=0.01)
    scheduler.start()
    until(lambda: len(asked) > 3, "it is asked again")
    scheduler.stop()
    assert len(endpoint.client.get("/jobs").json()["jobs"]) == 1
