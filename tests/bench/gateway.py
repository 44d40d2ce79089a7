"""Requests a second and latency of the gateway, for single native events.

    python3 -m tests.bench.gateway --port 8000 --key KEY --rate 600 --seconds 10

At a set rate requests start when they are due, whether earlier ones were answered or not, and latency counts from when a
request was due: a gateway that stalls cannot hide it by slowing its sender. Rate 0 sends as fast as answers come.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4


@dataclass
class Result:
    """What was measured. Latencies are in seconds."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """The latency that this share of requests stayed within."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def vitals(number: int) -> bytes:
    """A set of vital signs as a native event."""
    now = datetime.now(UTC).isoformat()
    return json.dumps({
        "event_id": str(uuid4()), "schema_version": "1.0.0", "event_type": "patient-vitals",
        "patient_id": f"PT{number % 1000:08d}", "study_id": "BENCH-1", "site_id": "SITE001", "trial_arm": "control",
        "event_time": now, "recorded_time": now, "source": "bench",
        "payload": {"measurements": [
            {"code": "8867-4", "value": 72.0, "unit": "/min"}, {"code": "9279-1", "value": 16.0, "unit": "/min"},
            {"code": "2708-6", "value": 98.0, "unit": "%"}, {"code": "8310-5", "value": 36.8, "unit": "Cel"},
            {"code": "8480-6", "value": 118.0, "unit": "mm[Hg]"}, {"code": "8462-4", "value": 76.0, "unit": "mm[Hg]"}]}}).encode()


def potassium(number: int) -> bytes:
    """A laboratory result as a native event."""
    event = json.loads(vitals(number))
    event |= {"event_type": "lab-results", "payload": {"code": "2823-3", "value": 4.2, "unit": "mmol/L"}}
    return json.dumps(event).encode()


KINDS = {"vitals": vitals, "labs": potassium}


async def measure(host: str, port: int, key: str, *, rate: float, seconds: float, connections: int = 32,
                  kind: str = "vitals") -> Result:
    """Sends single events for so long and waits for every answer."""
    result = Result()
    head = f"POST /events HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: "
    due: asyncio.Queue[float | None] = asyncio.Queue(0 if rate else connections)
    began = time.perf_counter()

    async def pace() -> None:
        number = 0
        while (now := time.perf_counter()) < began + seconds:
            if not rate:
                await due.put(now)
            else:
                while began + number / rate <= now:
                    due.put_nowait(began + number / rate)
                    number += 1
                await asyncio.sleep(0.001)
        for _ in range(connections):
            await due.put(None)

    async def send() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        number = 0
        while (moment := await due.get()) is not None:
            body = KINDS[kind](number)
            number += 1
            began_here = moment if rate else time.perf_counter()
            writer.write(f"{head}{len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            result.latencies.append(time.perf_counter() - began_here)
            result.statuses[int(answer[9:12])] += 1
        writer.close()

    await asyncio.gather(pace(), *(send() for _ in range(connections)))
    result.seconds = time.perf_counter() - began
    return result


def main() -> None:
    """Measures as the command line says, and prints one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--key", required=True)
    parser.add_argument("--rate", type=float, default=500, help="requests a second; 0: as fast as answers come")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--kind", choices=sorted(KINDS), default="vitals")
    given = parser.parse_args()
    result = asyncio.run(measure(given.host, given.port, given.key, rate=given.rate, seconds=given.seconds,
                                 connections=given.connections, kind=given.kind))
    print(f"{len(result.latencies)} requests, {result.per_second:.0f}/s, p50 {result.percentile(0.5) * 1000:.1f} ms, "
          f"p99 {result.percentile(0.99) * 1000:.1f} ms, statuses {dict(result.statuses)}")


if __name__ == "__main__":
    main()
