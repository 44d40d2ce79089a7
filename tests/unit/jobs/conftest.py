"""An endpoint with one kind of job, over HTTP as its callers see it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from applications.jobs.app import create_app
from applications.jobs.kinds import Kind
from applications.jobs.runner import Runner
from applications.jobs.store import OVER, Store
from tests.unit.jobs.toy import Toy

KEY = "a-key-for-tests-only"
KINDS = {"toy": Kind(parameters=Toy, module="tests.unit.jobs.toy", what="Ends as it is told to.")}
PATIENCE = 60
"""Seconds until what never happens counts as a failure."""


class Endpoint:
    """One life of the endpoint on a volume; `start` begins another life on the same."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.begin()

    def begin(self) -> None:
        """Opens the store and the HTTP interface; jobs wait until `start`."""
        self.store = Store(self.folder / "jobs.sqlite")
        self.runner = Runner(self.store, KINDS, self.folder / "logs", concurrency=1, stop_seconds=5, keep_jobs=100)
        self.client = TestClient(create_app(self.store, self.runner, KINDS, KEY, "jobs"), headers={"X-API-Key": KEY})

    def start(self) -> None:
        """Runs the jobs that wait."""
        self.runner.start()

    def end(self) -> None:
        """A graceful stop."""
        self.runner.stop()
        self.store.close()

    def submit(self, **parameters: Any) -> str:
        """Queues a toy job; its id."""
        answer = self.client.post("/jobs", json={"kind": "toy", "parameters": parameters})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def job(self, identity: str) -> dict[str, Any]:
        """What the endpoint says of a job."""
        found: dict[str, Any] = self.client.get(f"/jobs/{identity}").json()
        return found

    def over(self, identity: str) -> dict[str, Any]:
        """The job once it is over."""
        until(lambda: self.job(identity)["status"] in OVER, f"job {identity} ends")
        return self.job(identity)


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """An endpoint whose jobs do not run yet."""
    monkeypatch.setenv("SERVICE", "jobs")
    monkeypatch.setenv("LAYER", "test")
    found = Endpoint(tmp_path)
    yield found
    found.end()
