"""The operator of jobs, against the real endpoint over HTTP with a toy job, and without a scheduler."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import uvicorn
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from applications.orchestration import operators, triggers
from applications.orchestration.endpoint import Endpoint, Jobs
from applications.orchestration.operators import JobOperator, idempotency_key
from applications.orchestration.triggers import JobTrigger
from tests.unit.jobs.conftest import KEY, until
from tests.unit.jobs.conftest import Endpoint as ToyEndpoint


class World:
    """The endpoint, served on a port of its own, and tasks that use it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.toy = ToyEndpoint(folder)
        self.server = uvicorn.Server(uvicorn.Config(self.toy.client.app, port=0, log_level="error"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until(lambda: self.server.started, "the endpoint is served")
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.place = Endpoint("spark_batch", f"http://127.0.0.1:{port}", KEY, "processing")

        async def connected(_: str) -> Endpoint:
            return self.place
        monkeypatch.setattr(operators, "connected", lambda _: self.place)
        monkeypatch.setattr(triggers, "async_endpoint", connected)
        monkeypatch.setattr(triggers, "PAUSE", 0.2)

    def end(self) -> None:
        """Stops serving, then the endpoint."""
        self.server.should_exit = True
        self.thread.join()
        self.toy.end()

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs of the endpoint."""
        found: list[dict[str, Any]] = self.toy.client.get("/jobs").json()["jobs"]
        return found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An endpoint whose jobs do not run before `toy.start`."""
    monkeypatch.setenv("SERVICE", "jobs")
    monkeypatch.setenv("LAYER", "test")
    found = World(tmp_path, monkeypatch)
    yield found
    found.end()


def task(**settings: Any) -> JobOperator:
    """A task that is a toy job."""
    return JobOperator(task_id="toy", **{"endpoint": "spark_batch", "kind": "toy", **settings})


def context(number: int = 1, identity: str = "00000000-0000-0000-0000-000000000001") -> dict[str, Any]:
    """A try of the task."""
    return {"ti": SimpleNamespace(dag_id="d", run_id="r", task_id="toy", map_index=-1, try_number=number, id=identity)}


def submitted(of: JobOperator, tried: dict[str, Any]) -> JobTrigger:
    """Starts a try; the trigger that it waits by, made anew from what Airflow would store of it."""
    with pytest.raises(TaskDeferred) as deferred:
        of.execute(tried)
    found, arguments = deferred.value.trigger.serialize()
    assert found == "applications.orchestration.triggers.JobTrigger" and deferred.value.method_name == "finish"
    assert KEY not in str(arguments)
    return JobTrigger(**arguments)


def fired(trigger: JobTrigger) -> dict[str, Any]:
    """The event of a trigger."""
    async def first() -> dict[str, Any]:
        async for event in trigger.run():
            return dict(event.payload)
        raise AssertionError("the trigger ended without an event")
    return asyncio.run(first())


def test_a_job_is_submitted_waited_for_and_its_result_kept(world: World) -> None:
    """The XCom is the job's result, or the parts of it that the task names."""
    world.toy.start()
    for keep, expected in ((None, {"counted": 4}), (["counted", "other"], {"counted": 4}), (["other"], {})):
        wanted = task(parameters={"count": "4"}, keep=keep)
        event = fired(submitted(wanted, context(identity=str(keep))))
        assert wanted.finish(context(), event) == expected


def test_a_try_that_is_started_twice_is_one_job(world: World) -> None:
    """A worker may die between submitting and waiting. Another try, and a run of the same name made anew, are other jobs."""
    for tried in (context(), context(), context(2), context(1, "00000000-0000-0000-0000-000000000002")):
        submitted(task(), tried)
    assert len(world.jobs()) == 3


def test_a_key_fits(world: World) -> None:
    """The endpoint takes keys of 200 characters; a run's name may be longer, or of any letters, and the key is then a digest."""
    instance = context()["ti"]
    keys = set()
    for name in ("r", "r" * 300, "r" * 301, "läuft"):
        instance.run_id = name
        keys.add(idempotency_key(instance))
    assert len(keys) == 4 and all(len(key) <= 200 and key.isascii() for key in keys)


def test_a_refused_job_fails_without_another_try(world: World) -> None:
    """With every reason by field: the same request would be refused again."""
    with pytest.raises(AirflowFailException, match=r"parameters\.end: .*parameters\.count: "):
        task(parameters={"end": "never", "count": -1}).execute(context())
    assert world.jobs() == []


def test_an_endpoint_that_is_away_is_tried_again(world: World) -> None:
    """AirflowException, and not the one that forbids another try."""
    world.place = replace(world.place, url="http://127.0.0.1:9")
    with pytest.raises(AirflowException, match=r"does not answer .*pipeline processing") as caught:
        task().execute(context())
    assert not isinstance(caught.value, AirflowFailException)


def test_a_failed_job_fails_its_task_with_its_own_words(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the job, the last lines of its log in the task's log, and where there is more; it is tried again."""
    wanted, log = task(parameters={"end": "refuse"}), Mock()
    monkeypatch.setattr(JobOperator, "log", log)
    world.toy.start()
    event = fired(submitted(wanted, context()))
    words = r"there is nothing to count.*/jobs/.*/logs and `\./pipeline processing logs`"
    with pytest.raises(AirflowException, match=words) as caught:
        wanted.finish(context(), event)
    assert not isinstance(caught.value, AirflowFailException)
    log.error.assert_called_once()
    assert "job-failed" in str(log.error.call_args)


def test_a_job_that_somebody_cancelled_is_not_tried_again(world: World) -> None:
    """Whoever cancelled it does not want it to begin anew by itself."""
    wanted = task()
    trigger = submitted(wanted, context())
    Jobs(world.place).cancel(trigger.identity)
    with pytest.raises(AirflowFailException, match="Somebody cancelled it"):
        wanted.finish(context(), fired(trigger))


def test_a_cleared_task_cancels_its_job(world: World) -> None:
    """Airflow tells the trigger, while the task waits, and the task itself before that."""
    trigger = submitted(task(), context())
    asyncio.run(trigger.on_kill())
    waiting = task()
    submitted(waiting, context(2))
    waiting.on_kill()
    assert [job["status"] for job in world.jobs()] == ["cancelled", "cancelled"]


def test_a_job_that_takes_too_long_is_cancelled(world: World) -> None:
    """`execution_timeout` bounds the waiting, too; the words say so, and that others may have been before it."""
    wanted = task(execution_timeout=timedelta(seconds=1))
    trigger = submitted(wanted, context())
    assert trigger.deadline <= time.time() + 1
    event = fired(trigger)
    assert world.jobs()[0]["status"] == "cancelled"
    with pytest.raises(AirflowException, match=r"not over within 0:00:01.*counts in"):
        wanted.finish(context(), event)


def test_a_job_that_its_endpoint_forgot(world: World) -> None:
    """A lost volume: the task fails with words, and its next try is a new job."""
    wanted = task()
    event = fired(JobTrigger("spark_batch", "unknown", time.time() + 60))
    with pytest.raises(AirflowException, match="no longer knows the job"):
        wanted.finish(context(), event)


def test_a_restart_of_the_endpoint_is_waited_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is away for a while the task goes on waiting; when it stays away the task fails."""
    trigger = submitted(task(), context())
    there, asked = world.place, []

    async def connected(_: str) -> Endpoint:
        return Changing()

    class Changing:
        """Away for the first three requests."""

        layer, name = "processing", "spark_batch"

        def async_client(self) -> Any:
            asked.append(1)
            if len(asked) == 4:
                world.toy.start()
            return (there if len(asked) > 3 else replace(there, url="http://127.0.0.1:9")).async_client()

        def __getattr__(self, name: str) -> Any:
            return getattr(there, name)
    monkeypatch.setattr(triggers, "async_endpoint", connected)
    assert fired(trigger)["status"] == "succeeded"
    monkeypatch.setattr(triggers, "MOST_AWAY_SECONDS", 0.0)
    asked.clear()
    lost = fired(JobTrigger("spark_batch", trigger.identity, time.time() + 60))
    assert lost["status"] == "lost" and "does not answer" in lost["error"]
