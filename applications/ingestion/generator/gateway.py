"""The way to the gateway: a body is sent, with the same event ids, until it is taken or refused for good."""

from __future__ import annotations

import asyncio
import random

import httpx

from applications.ingestion.generator import metrics
from applications.ingestion.generator.forms import PATHS, Body, Form
from applications.ingestion.generator.mllp import MllpClient, MllpError
from applications.runtime.logs import log

TAKEN = frozenset(("200", "202", "AA"))
AGAIN = frozenset((401, 403, 408, 429, 500, 502, 503, 504))
"""Answers that say nothing about the body: it is kept. A wrong key, too, is no reason to lose it."""
NO_KEY = (401, 403)
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
LONGEST_ASKED = 60.0
"""Seconds that a Retry-After may ask for at most."""
ANSWER_SECONDS = 30.0


class Gateway:
    """A client of the gateway, by HTTP and MLLP. `transport` replaces the network in tests."""

    def __init__(self, url: str, api_key: str, mllp: MllpClient, connections: int,
                 transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, transport=transport, timeout=ANSWER_SECONDS, headers={"X-API-Key": api_key, "Accept": "application/json"},
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections), trust_env=False)
        self._mllp = mllp
        self.refused_key: int | None = None
        """The status with which the gateway refused our key, while it does."""

    async def deliver(self, body: Body) -> str:
        """Sends a body until its answer is final, and returns that: an HTTP status, or AA by MLLP.

        It goes on for as long as it takes; whoever cannot wait cancels it.
        """
        if body.form is Form.MLLP and await self._acknowledged(body):
            return "AA"
        pause = FIRST_PAUSE
        while True:
            asked = 0.0
            try:
                path, media = PATHS[body.form]
                response = await self._client.post(path, content=body.content, headers={"Content-Type": media})
            except httpx.RequestError as error:
                reason = type(error).__name__
            else:
                metrics.ANSWERS.labels(body.form, response.status_code).inc()
                self.refused_key = response.status_code if response.status_code in NO_KEY else None
                if response.status_code not in AGAIN:
                    return str(response.status_code)
                reason, asked = str(response.status_code), _retry_after(response)
            metrics.RETRIES.labels(reason).inc()
            log.info("put-off", form=body.form, reason=reason)
            # Spread, so that all that was put off does not come back at once; never before the time that was asked for.
            await asyncio.sleep(max(pause, asked) * random.uniform(1, 1.2))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def close(self) -> None:
        """Ends all connections."""
        self._mllp.close()
        await self._client.aclose()

    async def _acknowledged(self, body: Body) -> bool:
        """Whether MLLP took a message. If not, its HTTP twin tells whether it is refused or only put off: AE means both."""
        try:
            code = await self._mllp.send(body.content)
        except MllpError as error:
            log.info("put-off", form=body.form, reason=str(error))
            metrics.RETRIES.labels("no-acknowledgement").inc()
            return False
        metrics.ANSWERS.labels(body.form, code).inc()
        return code == "AA"


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), LONGEST_ASKED) if text.isdigit() else 0.0
