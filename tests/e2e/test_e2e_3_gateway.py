"""Rule: the gateway takes what it can keep and says so; while a broker is away it takes nothing, and then goes on by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.flow import wait_until
from tests.e2e.lake import Lake
from tests.e2e.stack import Stack


def event(kind: str = "adverse-events", **payload: Any) -> dict[str, Any]:
    """A valid native event, or what `payload` makes of it."""
    now = datetime.now(UTC).isoformat()
    given = payload or {"term": "Headache", "grade": 1, "start": now, "related": False, "reporter": "nurse"}
    return {"event_id": str(uuid4()), "schema_version": "1.0.0", "event_type": kind, "patient_id": "PTE2E00001",
            "study_id": "TRIAL-E2E", "site_id": "SITE900", "trial_arm": "control", "event_time": now, "recorded_time": now,
            "source": "e2e", "payload": given}


@pytest.fixture(scope="module")
def gateway(platform: Stack) -> httpx.Client:
    """A client with the key of a site."""
    return httpx.Client(base_url=f"http://127.0.0.1:{platform.port('clinical-data-gateway')}", timeout=60,
                        headers={"X-API-Key": platform.secrets["gateway-key-site"]})


def test_events_are_taken_once(gateway: httpx.Client) -> None:
    """202 for a new event, 200 for the same again."""
    sent = event()
    assert [gateway.post("/events", json=sent).status_code for _ in range(2)] == [202, 200]


def test_who_may_not_send_is_told_so(gateway: httpx.Client) -> None:
    """401 without a key, 403 with a wrong one."""
    url = f"{gateway.base_url}/events"
    assert httpx.post(url, json=event()).status_code == 401
    assert httpx.post(url, json=event(), headers={"X-API-Key": "x" * 32}).status_code == 403


def test_what_is_wrong_is_told_by_field_and_kept(gateway: httpx.Client, platform: Stack) -> None:
    """400, 413, 415 and 422; an invalid event's bytes reach quarantine."""
    marker = uuid4().hex
    answer = gateway.post("/events", json=event("lab-results", code="1975-2", value=20, unit="umol/L", note=marker))
    assert answer.status_code == 422 and "payload.unit" in answer.text
    assert gateway.post("/events", content=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    assert gateway.post("/events", content=b"x", headers={"Content-Type": "text/csv"}).status_code == 415
    assert gateway.post("/events", content=b" " * 3_000_000, headers={"Content-Type": "application/json"}).status_code == 413
    lake = Lake(platform)
    wait_until("the refused event stands in quarantine", lambda: any(
        marker.encode() in (row["raw"] or b"") and row["reason"] == "unit-mismatch"
        for row in lake.table("quarantine/events", ["raw", "reason"])))


def test_a_critical_result_becomes_an_alert(gateway: httpx.Client, platform: Stack) -> None:
    """Through the priority queue, the processor, and the topic for whoever must act."""
    sent = event("lab-results", code="2823-3", value=7.9, unit="mmol/L", priority="stat")
    assert gateway.post("/events", json=sent).status_code == 202
    lake = Lake(platform)
    wait_until("the alert stands in clinical-alerts", lambda: any(
        sent["event_id"].encode() in (record.value or b"") for record in lake.topics(["clinical-alerts"]).values()))


@pytest.mark.parametrize(("broker", "kind", "payload"), [
    ("kafka", "adverse-events", {}), ("clinical-mq", "lab-results", {"code": "2823-3", "value": 4.1, "unit": "mmol/L"})])
def test_while_a_broker_is_away_nothing_is_taken(gateway: httpx.Client, platform: Stack, broker: str, kind: str,
                                                 payload: dict[str, Any]) -> None:
    """503 with Retry-After, then 202 for the same event without a restart of the gateway."""
    container, sent = platform.containers()[broker], event(kind, **payload)
    began = platform.containers()["clinical-data-gateway"].attrs["State"]["StartedAt"]
    container.stop(timeout=60)
    try:
        refused = gateway.post("/events", json=sent)
        assert refused.status_code == 503 and int(refused.headers["Retry-After"]) > 0
        assert gateway.get("/health").status_code == 503
    finally:
        container.start()
    wait_until("the gateway takes the event", lambda: gateway.post("/events", json=sent).status_code in (200, 202))
    assert platform.containers()["clinical-data-gateway"].attrs["State"]["StartedAt"] == began
