"""Jobs of a layer's endpoint, from the host."""

from __future__ import annotations

from typing import Any

import httpx

from tests.e2e.flow import LONGEST, wait_until
from tests.e2e.stack import Stack

OVER = ("succeeded", "failed", "cancelled")


class Jobs:
    """The client of a job endpoint."""

    def __init__(self, stack: Stack, service: str = "spark-batch", key: str = "spark-jobs-key") -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{stack.port(service)}", timeout=30,
                                    headers={"X-API-Key": stack.secrets[key]})

    def run(self, kind: str, **parameters: Any) -> dict[str, Any]:
        """Runs a job to its end and returns its result. Raises AssertionError with its own error and log when it fails."""
        job = self._ended(kind, parameters)
        assert job["status"] == "succeeded", f"{job}\n{self._client.get('/jobs/' + job['id'] + '/logs').text[-3000:]}"
        result: dict[str, Any] = job["result"]
        return result

    def failed(self, kind: str, **parameters: Any) -> str:
        """Runs a job that must fail; the error that it tells."""
        job = self._ended(kind, parameters)
        assert job["status"] == "failed", job
        return str(job["error"])

    def latest(self, kind: str, limit: int) -> list[dict[str, Any]]:
        """The latest jobs of a kind."""
        jobs: list[dict[str, Any]] = self._client.get("/jobs", params={"kind": kind, "limit": limit}).json()["jobs"]
        return jobs

    def _ended(self, kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
        answer = self._client.post("/jobs", json={"kind": kind, "parameters": parameters})
        assert answer.status_code == 202, answer.text
        path = f"/jobs/{answer.json()['id']}"
        wait_until(f"the job {kind} ends", lambda: self._client.get(path).json()["status"] in OVER, LONGEST * 2)
        job: dict[str, Any] = self._client.get(path).json()
        return job
