"""Carries messages from RabbitMQ to Kafka: each is acknowledged once Kafka has confirmed all that it became.

A message is never given back because Kafka is away: every return counts towards its delivery limit, and an outage would
send good results to the dead letters. What is in hand is held and sent again until Kafka has it. Only an error of our own
in a message gives it back, so that RabbitMQ sets it aside after the limit.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from applications.ingestion.labs import metrics
from applications.ingestion.labs.kafka_watch import KafkaWatch
from applications.ingestion.labs.verdicts import Handle, Outcome, Send, Verdict
from applications.runtime.kafka import Publisher, PublishError
from applications.runtime.logs import log

RETRY_SECONDS = 1
LOOK_SECONDS = 0.05


class Carrier:
    """The messages in hand. `fault` says that some wait for Kafka to take them, or is None."""

    def __init__(self, publisher: Publisher, kafka: KafkaWatch) -> None:
        self._publisher, self._kafka = publisher, kafka
        self._retrying = 0
        self._refusal = ""
        self.in_hand = 0

    @property
    def fault(self) -> str | None:
        """What Kafka said last of the messages that it has not taken."""
        return f"{self._retrying} messages are sent again until Kafka takes them: {self._refusal}" if self._retrying else None

    async def carry(self, queue: str, handle: Handle, message: AbstractIncomingMessage) -> None:
        """Takes one message to its end. A lost connection leaves it to RabbitMQ, which delivers it again."""
        unacknowledged = metrics.UNACKNOWLEDGED.labels(queue)
        self.in_hand += 1
        unacknowledged.inc()
        try:
            settle = message.ack if await self._done(queue, handle, message) else partial(message.nack, requeue=True)
            with suppress(*CONNECTION_EXCEPTIONS):
                await settle()
        finally:
            self.in_hand -= 1
            unacknowledged.dec()

    async def finish(self, seconds: float) -> int:
        """Waits until nothing is in hand; returns how many messages still are after that time."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self.in_hand and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
        return self.in_hand

    async def _done(self, queue: str, handle: Handle, message: AbstractIncomingMessage) -> bool:
        """Whether Kafka has all that a message became; False after an error that nobody foresaw."""
        try:
            verdict = handle(queue, message.body, message.headers)
            await self._store(verdict.sends)
        except Exception as error:  # whatever is wrong with one message must not stop the others
            # Not the exception's own words, which could quote the message.
            last = traceback.extract_tb(error.__traceback__)[-1]
            log.error("message-failed", queue=queue, event_id=message.message_id, error=type(error).__name__,
                      where=f"{last.name}, line {last.lineno}")
            metrics.MESSAGES.labels(queue, Outcome.FAILED).inc()
            return False
        _count(queue, verdict)
        return True

    async def _store(self, sends: Sequence[Send]) -> None:
        """Returns once Kafka has confirmed every record."""
        sends = await self._send(sends)
        if not sends:
            return
        self._retrying += 1
        metrics.RETRYING.set(self._retrying)
        try:
            while sends:
                await asyncio.sleep(RETRY_SECONDS)
                await self._kafka.there()
                sends = await self._send(sends)
        finally:
            self._retrying -= 1
            metrics.RETRYING.set(self._retrying)

    async def _send(self, sends: Sequence[Send]) -> list[Send]:
        """Sends records; returns those that were not confirmed."""
        # Shielded: whoever stops waiting must not cancel what the client's thread will still resolve.
        waits = [asyncio.shield(asyncio.wrap_future(send(self._publisher))) for send in sends]
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
        left = []
        for send, outcome in zip(sends, outcomes, strict=True):
            if isinstance(outcome, PublishError):
                left.append(send)
                self._refusal = str(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
        return left


def _count(queue: str, verdict: Verdict) -> None:
    metrics.MESSAGES.labels(queue, verdict.outcome).inc()
    if verdict.alert is not None:
        metrics.ALERTS.labels(verdict.alert).inc()
    if verdict.reason is not None:
        metrics.DEAD_LETTERS.labels(verdict.reason).inc()
    if verdict.recorded is not None:
        metrics.LATENCY.labels(queue).observe(max(0.0, (datetime.now(UTC) - verdict.recorded).total_seconds()))
