"""The client that sends through all faults, and its ledger: what the gateway said that it has taken."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx

from applications.ingestion.labs.results import alert_id
from tests.bench.gateway import potassium, vitals

WORKERS = 6
PAUSE_SECONDS, AGAIN_SECONDS = 0.3, 1.0
TIMEOUT_SECONDS = 15
CRITICAL_EACH, CRITICAL = 10, 7.5
"""Every so many bodies a potassium of so many mmol/L, which must raise an alert."""
TAKEN, COME_AGAIN = (200, 202), (429, 503)


@dataclass(frozen=True)
class Accepted:
    """An event that the gateway has taken: when it was made, and when (monotonic clock) it was taken."""

    event_id: str
    event_type: str
    made: datetime
    taken: float
    alert: str | None
    """The id of the alert that it must raise."""


class Ledger:
    """Every event that was accepted. What was not is nobody's promise, and is not in here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accepted: dict[str, Accepted] = {}
        self.answers: Counter[str] = Counter()
        self.surprises: list[str] = []
        """Answers that the gateway may not give to a valid event."""

    def accept(self, events: Sequence[Accepted]) -> None:
        """Notes events down."""
        with self._lock:
            self._accepted.update({event.event_id: event for event in events})

    def all(self) -> list[Accepted]:
        """What was accepted until now."""
        with self._lock:
            return list(self._accepted.values())

    def promised(self, until: float | None = None) -> set[str]:
        """The ids that must be in the lake: of events taken until that moment, and of the alerts that they raise."""
        taken = [event for event in self.all() if until is None or event.taken <= until]
        return {event.event_id for event in taken} | {event.alert for event in taken if event.alert}

    def between(self, begin: float, end: float) -> int:
        """How many events were accepted between two moments."""
        return sum(begin <= event.taken <= end for event in self.all())


class Sender:
    """Some threads, each of which sends a body until it is accepted, and then the next."""

    def __init__(self, client: httpx.Client, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._client, self._ledger, self._clock = client, ledger, clock
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(WORKERS)]

    def start(self) -> None:
        """Begins to send."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Sends no more; what was not answered stays unaccepted."""
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT_SECONDS * 2)

    def deliver(self, events: Sequence[dict[str, Any]]) -> bool:
        """Sends one body; True once the gateway has taken it, False when it must come again."""
        body = "\n".join(json.dumps(event) for event in events)
        try:
            answer = self._client.post("/events", content=body, headers={"Content-Type": "application/x-ndjson"})
        except httpx.TransportError as error:
            self._ledger.answers[type(error).__name__] += 1
            return False
        self._ledger.answers[str(answer.status_code)] += 1
        if answer.status_code in TAKEN:
            self._ledger.accept([accepted(event, self._clock()) for event in events])
            return True
        if answer.status_code not in COME_AGAIN:
            self._ledger.surprises.append(f"{answer.status_code}: {answer.text[:200]}")
        return False

    def _run(self, worker: int) -> None:
        number = worker
        while not self._stop.is_set():
            events = body_of(number)
            while not self._stop.is_set() and not self.deliver(events):
                self._stop.wait(AGAIN_SECONDS)
            number += WORKERS
            self._stop.wait(PAUSE_SECONDS)


def client(port: int, key: str) -> httpx.Client:
    """A client of the gateway at that port of this machine."""
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": key}, timeout=TIMEOUT_SECONDS)


def body_of(number: int) -> list[dict[str, Any]]:
    """The events of a body: vital signs, which go straight to Kafka, and a result, which goes through the queue."""
    found: list[dict[str, Any]] = [json.loads(vitals(number)), json.loads(potassium(number))]
    if number % CRITICAL_EACH == 0:
        found[1]["payload"]["value"] = CRITICAL
    return found


def accepted(event: dict[str, Any], taken: float) -> Accepted:
    """The ledger's line for an event."""
    critical = event["payload"].get("value") == CRITICAL
    return Accepted(event_id=event["event_id"], event_type=event["event_type"], taken=taken,
                    made=datetime.fromisoformat(event["event_time"]).astimezone(UTC),
                    alert=str(alert_id(UUID(event["event_id"]))) if critical else None)
