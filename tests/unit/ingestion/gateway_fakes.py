"""A gateway without brokers: fakes that confirm, refuse or wait as a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from starlette.types import ASGIApp

from applications.clinical.reasons import Reason
from applications.ingestion.gateway.app import create_app
from applications.ingestion.gateway.door import Door
from applications.ingestion.gateway.health import Health
from applications.ingestion.gateway.intake import Intake
from applications.ingestion.gateway.ledger import Ledger
from applications.ingestion.gateway.limits import Held, Rate
from applications.ingestion.gateway.reading import Ready
from applications.ingestion.gateway.senders import Away
from applications.runtime.api_keys import ApiKeys

KEY = "0123456789abcdef"
JSON = {"X-API-Key": KEY, "Content-Type": "application/json"}
NDJSON = {"X-API-Key": KEY, "Content-Type": "application/x-ndjson"}
FHIR = {"X-API-Key": KEY, "Content-Type": "application/fhir+json"}
HL7 = {"X-API-Key": KEY, "Content-Type": "application/hl7-v2"}

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a test's coroutine, in a loop of its own, for 20 seconds at most."""
    async def bounded() -> T:
        async with asyncio.timeout(20):
            return await work

    return asyncio.run(bounded())


class FakeWay:
    """A broker. `fault` makes it away; `hold` keeps confirmations back; `failure` refuses them."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self.failure: str | None = None
        self.hold: asyncio.Event | None = None
        self.sent: list[Ready] = []
        self.letters: list[tuple[Sequence[Reason], bytes]] = []

    async def send(self, event: Ready) -> None:
        """Confirms, or not."""
        self.sent.append(event)
        await self._confirm()

    async def quarantine(self, reasons: Sequence[Reason], body: bytes) -> None:
        """Confirms, or not."""
        if self.fault:
            raise Away(self.fault)
        await self._confirm()
        self.letters.append((reasons, body))

    async def _confirm(self) -> None:
        if self.hold is not None:
            await self.hold.wait()
        if self.failure is not None:
            raise Away(self.failure)


@dataclass
class Gateway:
    """A running gateway and what is behind it."""

    client: httpx.AsyncClient
    app: ASGIApp
    intake: Intake
    kafka: FakeWay
    queue: FakeWay
    ledger: Ledger

    async def post(self, path: str, body: object, headers: dict[str, str] = JSON) -> httpx.Response:
        """Posts bytes as they are and anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post(path, content=content, headers=headers)


@asynccontextmanager
async def gateway(folder: Path, *, rate: float = 1e6, burst: int = 1_000_000, max_body_bytes: int = 100_000,
                  max_held_bytes: int = 10_000_000, read_seconds: float = 5, confirm_seconds: float = 5) -> AsyncIterator[Gateway]:
    """A gateway whose ledger is in `folder`."""
    kafka, queue, ledger = FakeWay(), FakeWay(), Ledger(folder / "ledger.sqlite")
    intake = Intake(kafka, queue, ledger, confirm_seconds)
    door = Door(intake, ApiKeys(f"ward:{KEY}"), Rate(rate, burst), Held(max_held_bytes), max_body_bytes, read_seconds)
    app = create_app(door, Health({"kafka": kafka, "rabbitmq": queue, "ledger": ledger}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        try:
            yield Gateway(client, app, intake, kafka, queue, ledger)
        finally:
            await intake.finish(1)
            await ledger.close()


def event(kind: str = "patient-vitals", **changes: Any) -> dict[str, Any]:
    """A valid native event with an id of its own."""
    now = datetime.now(UTC).isoformat()
    payloads: dict[str, Any] = {
        "patient-vitals": {"measurements": [{"code": "8867-4", "value": 72.0, "unit": "/min"}]},
        "lab-results": {"code": "2823-3", "value": 4.2, "unit": "mmol/L"},
        "medications": {"drug": "Metformin", "dose": 500.0, "unit": "mg", "route": "oral", "frequency": "1/d"},
        "adverse-events": {"term": "Nausea", "grade": 2, "start": now, "related": False, "reporter": "investigator"},
        "demographics": {"age": 54, "sex": "female", "weight_kg": 70.5, "height_cm": 168.0, "enrolment_date": "2020-01-01"},
        "clinical-alerts": {"code": "2823-3", "analyte": "potassium", "value": 7.0, "unit": "mmol/L", "flag": "HH",
                            "lab_event_id": str(uuid4())}}
    return {"event_id": str(uuid4()), "schema_version": "1.0.0", "event_type": kind, "patient_id": "PT0000A1B2",
            "study_id": "STUDY-1", "site_id": "SITE001", "trial_arm": "control", "event_time": now, "recorded_time": now,
            "source": "monitor-7", "payload": payloads[kind], **changes}


def lines(*events: dict[str, Any]) -> bytes:
    """Events as NDJSON."""
    return b"\n".join(json.dumps(one).encode() for one in events) + b"\n"
