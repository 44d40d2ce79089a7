"""Waiting for a job without a process: the triggerer asks its endpoint now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
from airflow.triggers.base import BaseTrigger, TriggerEvent

from applications.orchestration.connections import async_endpoint
from applications.orchestration.endpoint import OVER, AwayError, EndpointError, cancelled, job_of

PAUSE = 5.0
"""Seconds before each look, also the first: a trigger that fires while the scheduler has not yet seen that its task deferred
makes a busy scheduler take the task for lost."""
MOST_AWAY_SECONDS = 600.0


class JobTrigger(BaseTrigger):
    """Fires once when a job is over: `{"job": its id, "status": …}` with the job's own status, `too-late` (after `deadline`, in
    seconds since 1970; the job is cancelled then), or `lost` with an `error` when its endpoint stays away or has forgotten it.

    It is stored in Airflow's database, so it names the connection and holds no key.
    """

    def __init__(self, endpoint: str, identity: str, deadline: float) -> None:
        super().__init__()
        self.endpoint, self.identity, self.deadline = endpoint, identity, deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, as the triggerer makes it anew from the database."""
        return (f"{type(self).__module__}.{type(self).__qualname__}",
                {"endpoint": self.endpoint, "identity": self.identity, "deadline": self.deadline})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Asks again and again until the job is over."""
        away_since = None
        found = await async_endpoint(self.endpoint)
        while True:
            await asyncio.sleep(PAUSE)
            try:
                status = (await self._job(found))["status"]
                away_since = None
                if status in OVER:
                    yield self._event(status)
                    return
            except AwayError as error:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > MOST_AWAY_SECONDS:
                    yield self._event("lost", error=str(error))
                    return
            except EndpointError as error:
                yield self._event("lost", error=str(error))
                return
            if time.time() >= self.deadline:
                await self.on_kill()
                yield self._event("too-late")
                return

    async def on_kill(self) -> None:
        """Cancels the job: somebody cleared the task or marked it, or it took too long."""
        found = await async_endpoint(self.endpoint)
        try:
            async with found.async_client() as client:
                cancelled(found, await client.delete(f"/jobs/{self.identity}"))
        except (httpx.HTTPError, EndpointError) as error:
            self.log.warning("the job %s could not be cancelled: %s", found.job_url(self.identity), error)

    def _event(self, status: str, **more: str) -> TriggerEvent:
        return TriggerEvent({"job": self.identity, "status": status, **more})

    async def _job(self, found: Any) -> dict[str, Any]:
        try:
            async with found.async_client() as client:
                return job_of(found, await client.get(f"/jobs/{self.identity}"))
        except httpx.HTTPError as error:
            raise found.away(error) from error
