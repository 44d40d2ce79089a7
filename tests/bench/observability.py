"""What it costs to watch the platform: memory and processors of the observability layer, at rest and at 1,000 events/s."""

from __future__ import annotations

import threading
import time

import docker

from tests.bench.flow import quiet, send
from tests.e2e.stack import Stack

LAYER = "observability"
RATE, SECONDS = 1000, 90


def used(client: docker.DockerClient, stack: Stack) -> dict[str, tuple[float, float]]:
    """Of each service of the layer: megabytes without the page cache, and the seconds of a processor that it has used so far."""
    found = {}
    for name, container in stack.containers().items():
        if container.labels["clinical.layer"] == LAYER:
            stats = client.api.stats(str(container.id), stream=False)
            memory = stats["memory_stats"]
            found[name] = ((memory["usage"] - memory["stats"].get("inactive_file", 0)) / 1e6,
                           stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9)
    return found


def over(client: docker.DockerClient, stack: Stack, seconds: float) -> dict[str, tuple[float, float]]:
    """Of each service: megabytes at the end of the next seconds, and the share of one processor that it took meanwhile."""
    begin, before = time.monotonic(), used(client, stack)
    time.sleep(seconds)
    after, passed = used(client, stack), time.monotonic() - begin
    return {name: (memory, (spent - before[name][1]) / passed) for name, (memory, spent) in after.items()}


def report(stack: Stack) -> str:
    """The page's part about the observability layer."""
    client = docker.from_env(timeout=180)
    with quiet(stack):
        time.sleep(SECONDS)  # the stream comes to its end
        rest = over(client, stack, SECONDS)
        sender = threading.Thread(target=send, args=(stack, RATE, RATE * (SECONDS + 30), 300))
        sender.start()
        loaded = over(client, stack, SECONDS)
        sender.join()
    rows = "\n".join(f"| {name} | {rest[name][0]:.0f} MB | {rest[name][1]:.1%} | {loaded[name][0]:.0f} MB | {loaded[name][1]:.1%} |"
                     for name in sorted(rest))
    total = [sum(row[index] for row in found.values()) for found in (rest, loaded) for index in (0, 1)]
    return f"""
## Observability

Memory without the page cache, and the share of one processor over {SECONDS} s: while nothing is sent, and while {RATE:,} events/s
are sent straight to Kafka.

| service | memory at rest | processor at rest | memory at {RATE:,} events/s | processor at {RATE:,} events/s |
| --- | --- | --- | --- | --- |
{rows}
| all | {total[0]:.0f} MB | {total[1]:.1%} | {total[2]:.0f} MB | {total[3]:.1%} |
"""
