"""Requests a second and latency of model-serving, its read of features, and a change of the champion under load.

    python3 -m tests.bench.serving --port 8090 --key KEY --patients PT00000001,PT00000002 --rate 200 --seconds 20

At a set rate requests start when they are due, whether earlier ones were answered or not, and latency counts from when a
request was due. Rate 0 sends as fast as answers come.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.bench.gateway import Result

READ = "serving_features_read_seconds"
SWITCH_SECONDS = 60


@dataclass
class Served(Result):
    """What was measured, and how many answers each version of the model gave."""

    versions: Counter[str] = field(default_factory=Counter)

    def line(self) -> str:
        """The measurement in words."""
        return (f"{self.per_second:.0f} requests/s, p50 {self.percentile(.5) * 1000:.1f} ms, p95 {self.percentile(.95) * 1000:.1f} "
                f"ms, p99 {self.percentile(.99) * 1000:.1f} ms, statuses {dict(self.statuses)}")


async def measure(host: str, port: int, key: str, patients: Sequence[str], *, rate: float, seconds: float,
                  connections: int = 32) -> Served:
    """Asks for predictions by patient_id, one after the other, for so long; waits for every answer."""
    result = Served()
    head = (f"POST /v1/predict HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
            "Content-Length: ")
    due: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue(0 if rate else connections)
    began = time.perf_counter()

    async def pace() -> None:
        number = 0
        while (now := time.perf_counter()) < began + seconds:
            if not rate:
                await due.put((now, patients[number % len(patients)]))
                number += 1
            else:
                while began + number / rate <= now:
                    due.put_nowait((began + number / rate, patients[number % len(patients)]))
                    number += 1
                await asyncio.sleep(0.001)
        for _ in range(connections):
            await due.put(None)

    async def send() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        while (asked := await due.get()) is not None:
            moment = asked[0] if rate else time.perf_counter()
            body = json.dumps({"patient_id": asked[1]}).encode()
            writer.write(f"{head}{len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            content = await reader.readexactly(length)
            result.latencies.append(time.perf_counter() - moment)
            status = int(answer[9:12])
            result.statuses[status] += 1
            if status == 200:
                result.versions[json.loads(content)["model"]["version"]] += 1
        writer.close()

    await asyncio.gather(pace(), *(send() for _ in range(connections)))
    result.seconds = time.perf_counter() - began
    return result


def known(host: str, port: int, key: str, patients: Sequence[str]) -> list[str]:
    """Those patients for whom a prediction can be made now."""
    with httpx.Client(base_url=f"http://{host}:{port}", headers={"X-API-Key": key}, timeout=60) as client:
        found: list[str] = []
        for start in range(0, len(patients), 100):
            instances = [{"patient_id": one} for one in patients[start:start + 100]]
            answer = client.post("/v1/predict/batch", json={"instances": instances})
            answer.raise_for_status()
            found += [one["prediction"]["patient_id"] for one in answer.json()["results"] if "prediction" in one]
    return found


def reads(host: str, port: int) -> dict[float, float]:
    """The histogram of feature reads so far: reads that took at most so many seconds, by seconds."""
    text = httpx.get(f"http://{host}:{port}/metrics", timeout=10).text
    return {float(sample.labels["le"]): sample.value for family in text_string_to_metric_families(text)
            for sample in family.samples if sample.name == f"{READ}_bucket"}


def within(before: dict[float, float], after: dict[float, float], seconds: float) -> float:
    """The share of the reads between two looks at the histogram that took at most so long (one of its bounds)."""
    return (after[seconds] - before[seconds]) / (after[float("inf")] - before[float("inf")])


async def switch(host: str, port: int, key: str, patients: Sequence[str], promote: Callable[[int], object],
                 versions: tuple[int, int], *, rate: float = 200, connections: int = 32) -> tuple[Served, list[float]]:
    """Promotes the first version and then the second, under load; `promote` blocks until the registry has it.

    Returns the load's result and the seconds from each promotion to the first answer of /v1/model that names it. Raises
    TimeoutError when a version does not come to serve.
    """
    pauses: list[float] = []
    load = asyncio.create_task(_until(pauses, len(versions), host, port, key, patients, rate, connections))
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}", headers={"X-API-Key": key}, timeout=10) as client:
        for version in versions:
            await asyncio.to_thread(promote, version)
            promoted = time.perf_counter()
            while (await client.get("/v1/model")).json().get("version") != str(version):
                if time.perf_counter() > promoted + SWITCH_SECONDS:
                    load.cancel()
                    raise TimeoutError(f"version {version} does not serve {SWITCH_SECONDS} s after its promotion")
                await asyncio.sleep(0.05)
            pauses.append(time.perf_counter() - promoted)
    return await load, pauses


async def _until(pauses: list[float], count: int, host: str, port: int, key: str, patients: Sequence[str], rate: float,
                 connections: int) -> Served:
    whole = Served()
    while len(pauses) < count:
        part = await measure(host, port, key, patients, rate=rate, seconds=2, connections=connections)
        whole.seconds += part.seconds
        whole.latencies += part.latencies
        whole.statuses += part.statuses
        whole.versions += part.versions
    return whole


def report(host: str, port: int, key: str, patients: Sequence[str], promote: Callable[[int], object],
           versions: tuple[int, int], *, seconds: float = 20) -> str:
    """The page's part about serving; `versions` are two registered ones, of which the second is champion afterwards."""
    there = known(host, port, key, patients)
    if not there:
        raise RuntimeError("no prediction can be made for any of the patients: see /ready of model-serving, and the latest jobs of "
                           "feature-engineering")
    rows = []
    before = reads(host, port)
    for rate in (200.0, 0.0):
        found = asyncio.run(measure(host, port, key, there, rate=rate, seconds=seconds))
        if rate:
            after = reads(host, port)
        rows.append(f"| {f'{rate:.0f}/s' if rate else 'as fast as possible'} | {found.per_second:.0f} | "
                    + " | ".join(f"{found.percentile(share) * 1000:.0f} ms" for share in (.5, .95, .99))
                    + f" | {sum(found.statuses.values()) - found.statuses[200]} |")
    load, pauses = asyncio.run(switch(host, port, key, there, promote, versions))
    failed = sum(load.statuses.values()) - load.statuses[200]
    table = "\n".join(rows)
    return f"""
## Serving

Predictions by patient_id ({len(there)} patients), each with its features from Redis and its audit record confirmed by Kafka, on 32
connections for {seconds:.0f} s, with everything running on the same machine, the sender too:

| requested | answered, requests/s | p50 | p95 | p99 | failed |
| --- | --- | --- | --- | --- | --- |
{table}

At 200/s {within(before, after, .005):.1%} of the reads of features took at most 5 ms, {within(before, after, .01):.1%} at
most 10 ms.

A change of the champion under 200 requests/s, there and back: {' and '.join(f'{pause:.1f} s' for pause in pauses)} from the
promotion until the new version served; of {len(load.latencies)} requests {failed} failed, p99 {load.percentile(.99) * 1000:.0f} ms.
"""


def main() -> None:
    """Measures as the command line says, and prints one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--key", required=True)
    parser.add_argument("--patients", required=True, help="pseudonyms, with commas between them")
    parser.add_argument("--rate", type=float, default=200, help="requests a second; 0: as fast as answers come")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=32)
    given = parser.parse_args()
    before = reads(given.host, given.port)
    result = asyncio.run(measure(given.host, given.port, given.key, given.patients.split(","), rate=given.rate,
                                 seconds=given.seconds, connections=given.connections))
    after = reads(given.host, given.port)
    print(f"{result.line()}, {within(before, after, .005):.1%} of reads within 5 ms")


if __name__ == "__main__":
    main()
