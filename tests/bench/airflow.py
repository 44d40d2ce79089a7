"""Airflow's processes: from their start until all are healthy, and the memory that they take."""

from __future__ import annotations

import statistics
import time

import docker

from tests.e2e.flow import wait_until
from tests.e2e.stack import Stack
from tests.e2e.workflows import Workflows

PROCESSES = ("airflow-webserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
RUNS, REST_SECONDS = 3, 60


def healthy_seconds(stack: Stack) -> float:
    """Seconds from the start of all four at once until Docker calls the last of them healthy."""
    containers = [stack.containers()[name] for name in PROCESSES]
    for container in containers:
        container.stop(timeout=60)
    begin = time.monotonic()
    for container in containers:
        container.start()
    wait_until("Airflow is healthy", lambda: not set(PROCESSES) & stack.unhealthy().keys())
    return time.monotonic() - begin


def report(stack: Stack, memory_of: dict[str, float]) -> str:
    """The page's part about Airflow; `memory_of` is that of every service at rest, in MB."""
    times = [healthy_seconds(stack) for _ in range(RUNS)]
    time.sleep(REST_SECONDS)
    workflows = Workflows(stack)
    begin = time.monotonic()
    workflows.succeeded(workflows.start("backup"))
    took = time.monotonic() - begin
    client = docker.from_env(timeout=180)
    sizes = {name: client.api.stats(str(stack.containers()[name].id), stream=False)["memory_stats"]["usage"] / 1e6
             for name in PROCESSES}
    return f"""
## Airflow

Four processes, started together: all healthy {statistics.median(times):.0f} s later (median of {RUNS}), beside the whole platform.
At rest they take {sum(memory_of.get(name, 0) for name in PROCESSES):.0f} MB; right after a run of the DAG backup, which took
{took:.0f} s, {sum(sizes.values()):.0f} MB with the page cache.
"""
