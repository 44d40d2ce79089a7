"""How fast events flow: to bronze and silver, through the gateway, and to an alert; measured from outside the platform."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx

from applications.clinical.models import INGRESS
from applications.ingestion import producer
from tests.bench.gateway import measure as measure_gateway
from tests.e2e.flow import wait_until
from tests.e2e.lake import Lake
from tests.e2e.stack import Stack

SUSTAINED, SECONDS = (1500, 3000), 60
SAMPLE_SECONDS, ALERTS = 90, 60
SENDERS = ("kafka-producer", "clinical-data-generator")


@contextmanager
def quiet(stack: Stack) -> Iterator[None]:
    """The platform without its own senders."""
    for service in SENDERS:
        stack.containers()[service].stop(timeout=60)
    try:
        yield
    finally:
        for service in SENDERS:
            stack.containers()[service].start()


def send(stack: Stack, rate: float, events: int, seed: int) -> float:
    """Sends events of simulated patients straight to Kafka; the seconds that it took."""
    with tempfile.TemporaryDirectory() as folder:
        return producer.run(producer.ProducerSettings(
            service="bench", kafka_bootstrap=f"127.0.0.1:{stack.port('kafka')}", rate=rate, patients=1000, seed=seed,
            total_events=events, patient_prefix="B", state_path=Path(folder) / "state.json", stop_seconds=300)).seconds


def in_silver(lake: Lake) -> int:
    """Rows of all silver tables."""
    return sum(len(lake.table(f"silver/{kind}", ["event_id"])) for kind in INGRESS)


def sustained(stack: Stack) -> list[tuple[float, float, float, float]]:
    """For each rate: events a second sent, and after the last one the seconds until bronze and silver have all; the last column
    is events a second to silver, counted over the whole time."""
    lake, rows = Lake(stack), []
    for number, rate in enumerate(SUSTAINED):
        before, events = in_silver(lake), int(rate * SECONDS)
        begin = time.monotonic()
        seconds = send(stack, rate, events, seed=100 + number)
        sent = time.monotonic()
        ends = set(lake.topics(INGRESS))
        wait_until("bronze has all", lambda ends=ends: ends <= set(lake.bronze()[0]), 1800)
        bronze = time.monotonic() - sent
        wait_until("silver has all", lambda want=before + events: in_silver(lake) >= want, 1800)
        rows.append((events / seconds, bronze, time.monotonic() - sent, events / (time.monotonic() - begin)))
    return rows


def latency_to_silver(stack: Stack) -> list[float]:
    """Seconds from an event's arrival in Kafka until a reader of the table finds it, at the platform's own rate."""
    lake, seen, found = Lake(stack), set[str](), list[float]()
    kind, columns = "silver/patient-vitals", ["event_id", "received_time"]
    seen |= {row["event_id"] for row in lake.table(kind, columns)}
    begin = time.monotonic()
    while time.monotonic() - begin < SAMPLE_SECONDS:
        rows = lake.table(kind, columns)
        now = datetime.now(UTC)
        fresh = [row for row in rows if row["event_id"] not in seen]
        found += [(now - row["received_time"]).total_seconds() for row in fresh]
        seen |= {row["event_id"] for row in fresh}
        time.sleep(0.5)
    return found


def alert_latency(stack: Stack) -> list[float]:
    """Seconds from a critical result's acceptance by the gateway until its alert stands in Kafka."""
    client = httpx.Client(base_url=f"http://127.0.0.1:{stack.port('clinical-data-gateway')}", timeout=30,
                          headers={"X-API-Key": stack.secrets["gateway-key-site"]})
    sent: dict[str, float] = {}
    for _ in range(ALERTS):
        now = datetime.now(UTC)
        event = {"event_id": str(uuid4()), "schema_version": "1.0.0", "event_type": "lab-results", "patient_id": "PTBENCH001",
                 "study_id": "BENCH-1", "site_id": "SITE001", "trial_arm": "control", "event_time": now.isoformat(),
                 "recorded_time": now.isoformat(), "source": "bench",
                 "payload": {"code": "2823-3", "value": 7.5, "unit": "mmol/L"}}
        assert client.post("/events", json=event).status_code == 202
        sent[event["event_id"]] = now.timestamp()
        time.sleep(0.2)
    lake, found = Lake(stack), dict[str, float]()

    def all_there() -> bool:
        for record in lake.topics(["clinical-alerts"]).values():
            lab = json.loads(record.value or b"{}").get("payload", {}).get("lab_event_id", "")
            if lab in sent:
                found[lab] = record.timestamp / 1000 - sent[lab]
        return len(found) == len(sent)

    wait_until("all alerts are there", all_there)
    return list(found.values())


def percentile(values: list[float], share: float) -> float:
    """The value that this share of them stays within."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def report(stack: Stack) -> str:
    """The page's part about the flow of events."""
    latencies = latency_to_silver(stack)
    with quiet(stack):
        rates = sustained(stack)
        gateway = {rate: asyncio.run(measure_gateway(
            "127.0.0.1", stack.port("clinical-data-gateway"), stack.secrets["gateway-key-site"], rate=rate, seconds=20,
            connections=32, kind="vitals")) for rate in (500, 0)}
        alerts = alert_latency(stack)
    table = "\n".join(f"| {rate:.0f} | {bronze:.0f} s | {silver:.0f} s | {whole:.0f} |" for rate, bronze, silver, whole in rates)
    doors = "\n".join(f"| {'as fast as possible' if rate == 0 else f'{rate}/s'} | {found.per_second:.0f} | "
                      f"{found.percentile(.5) * 1000:.0f} ms | {found.percentile(.99) * 1000:.0f} ms |"
                      for rate, found in gateway.items())
    return f"""
## The flow of events

With everything running on the same machine, the sender too. {SECONDS} s of events straight to Kafka at a set rate, and how
long after the last one all of them stood in bronze and in silver:

| sent, events/s | bronze has all after | silver has all after | to silver over the whole time, events/s |
| --- | --- | --- | --- |
{table}

From Kafka to a reader of the silver table of vital signs, at the default rate of 100 events/s, read every half second for
{SAMPLE_SECONDS} s: median {statistics.median(latencies):.1f} s, p95 {percentile(latencies, .95):.1f} s ({len(latencies)} events).

The gateway, single events of vital signs on 32 connections for 20 s:

| requested | answered, requests/s | p50 | p99 |
| --- | --- | --- | --- |
{doors}

A critical result, from the gateway to its alert in Kafka: median {statistics.median(alerts):.2f} s, p95
{percentile(alerts, .95):.2f} s ({len(alerts)} results).
"""
