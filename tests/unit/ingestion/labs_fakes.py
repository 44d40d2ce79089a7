"""What the laboratory processor's tests share: an event, and brokers that do what a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from applications.runtime.kafka import Position, PublishError

EVENT_ID = UUID("0b8f1c1e-9b5e-4a51-8a7e-1f0d6a0c9e11")
PATIENT = "PT0000A1B2"


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine; one that hangs fails."""
    return asyncio.run(asyncio.wait_for(work, timeout=10))


async def until(condition: Any, what: str) -> None:
    """Lets other tasks go on until a condition holds."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError(what)


def lab(**payload: Any) -> dict[str, Any]:
    """A laboratory result as its sender wrote it; by default a normal sodium."""
    return {
        "event_id": str(EVENT_ID), "schema_version": "1.0.0", "event_type": "lab-results", "patient_id": PATIENT,
        "study_id": "STUDY-1", "site_id": "SITE001", "trial_arm": "control", "event_time": "2026-03-01T10:00:00+02:00",
        "recorded_time": "2026-03-01T10:00:05+02:00", "source": "analyser-7", "enrolment_date": "2026-02-01",
        "payload": {"code": "2951-2", "value": 140, "unit": "mmol/L"} | payload}


def encoded(event: dict[str, Any]) -> bytes:
    """The event as it travels."""
    return json.dumps(event).encode()


class FakePublisher:
    """A Kafka that confirms at once, or not while `fault` is set, or only when told to while `hold` is."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self.hold = False
        self.tries: list[tuple[str, str, bytes]] = []
        self.stored: list[tuple[str, str, dict[str, Any]]] = []
        self.waiting: list[Future[Position]] = []

    def publish(self, topic: str, key: str, value: bytes) -> Future[Position]:
        """One record."""
        future: Future[Position] = Future()
        self.tries.append((topic, key, value))
        if self.fault is not None:
            future.set_exception(PublishError(self.fault))
            return future
        self.stored.append((topic, key, json.loads(value)))
        if self.hold:
            self.waiting.append(future)
        else:
            future.set_result(Position(topic, 0, len(self.stored)))
        return future

    def check(self) -> str | None:
        """Whether it is there."""
        return self.fault

    def confirm(self) -> None:
        """Confirms what waits."""
        for future in self.waiting:
            future.set_result(Position("t", 0, 0))
        self.waiting.clear()


class FakeMessage:
    """A delivery; `said` is what the consumer said to it."""

    def __init__(self, body: bytes, headers: dict[str, Any] | None = None) -> None:
        self.body, self.headers, self.message_id = body, headers or {}, str(EVENT_ID)
        self.said: list[str] = []
        self.lost = False

    async def ack(self) -> None:
        """Taken."""
        self._say("ack")

    async def nack(self, requeue: bool) -> None:
        """Given back."""
        self._say(f"nack requeue={requeue}")

    def _say(self, word: str) -> None:
        if self.lost:
            raise ConnectionError("gone")
        self.said.append(word)
