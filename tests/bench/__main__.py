"""`python -m tests.bench`: measures the platform beside Compose and writes docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker

from tests.bench import airflow, flow, ml, observability
from tests.bench.compose import write_compose
from tests.e2e.ports import free_offset
from tests.e2e.stack import TREE, Stack

RUNS = 3
UPPER = ("ingestion", "processing", "ml", "orchestration", "observability")
OFFSET = 26_000
DEADLINE_SECONDS = 300
REPORT = TREE / "docs" / "benchmarks.md"


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    start = time.monotonic()
    action()
    return time.monotonic() - start


def wait_healthy(client: docker.DockerClient, label: str, count: int) -> None:
    """Waits until `count` containers with the label are healthy. Raises TimeoutError."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        found = client.api.containers(filters={"label": label, "health": "healthy"})
        if len(found) >= count:
            return
        time.sleep(0.2)
    raise TimeoutError(f"{label}: fewer than {count} healthy containers after {DEADLINE_SECONDS} s")


def memory(client: docker.DockerClient, stack: Stack) -> dict[str, float]:
    """Megabytes that each service uses, without the page cache."""
    found = {}
    for name, container in stack.containers().items():
        stats = client.api.stats(str(container.id), stream=False)["memory_stats"]
        found[name] = (stats["usage"] - stats["stats"].get("inactive_file", 0)) / 1e6
    return found


def platform_run(stack: Stack) -> dict[str, float]:
    """One round of the platform's own commands."""
    row = {"preview": seconds(lambda: stack.pulumi("preview")), "up": seconds(stack.up)}
    row["up, nothing to do"] = seconds(lambda: stack.up("--expect-no-changes"))
    return row


def compose_run(client: docker.DockerClient, folder: Path, project: str, count: int) -> dict[str, float]:
    """One round of the same services under Compose."""
    def compose(*arguments: str) -> None:
        subprocess.run(["docker-compose", *arguments], cwd=folder, check=True, capture_output=True)

    def up() -> None:
        compose("up", "-d")
        wait_healthy(client, f"com.docker.compose.project={project}", count)

    try:
        return {"up": seconds(up), "up, nothing to do": seconds(lambda: compose("up", "-d")),
                "destroy": seconds(lambda: compose("down", "-v"))}
    finally:
        subprocess.run(["docker-compose", "down", "-v"], cwd=folder, check=False, capture_output=True)


@dataclass(frozen=True)
class Measured:
    """Rounds of the first two layers under Pulumi and under Compose; of the whole platform one `up` from nothing, the memory of
    each service at rest, and what flows through it."""

    ours: list[dict[str, float]]
    theirs: list[dict[str, float]]
    whole: dict[str, float]
    used: dict[str, float]
    flowing: str


def measure() -> Measured:
    """Three rounds each, from images that are built and with no volume left; then the whole platform."""
    client = docker.from_env(timeout=180)
    stack = Stack("", free_offset(OFFSET), client, prefix="bench-")
    folder = Path(tempfile.mkdtemp(prefix="clinical-bench-"))
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    try:
        stack.up()  # builds what is not built
        stack.destroy()
        # Compose has no word for databases, buckets and users, without which no layer above begins.
        stack.configure({f"layers.{layer}": "absent" for layer in UPPER})
        stack.up()
        state = json.loads(stack.pulumi("stack", "export", "--show-secrets"))
        stack.destroy()
        count = sum(r["type"] == "docker:index/container:Container" for r in state["deployment"]["resources"])
        project = f"compose-{stack.name}"
        write_compose(state, folder, project)
        for _ in range(RUNS):
            ours.append({**platform_run(stack), "destroy": seconds(stack.destroy)})
            theirs.append(compose_run(client, folder, project, count))
        stack.configure({"simulatedHistoryDays": str(ml.HISTORY_DAYS), **{f"layers.{layer}": "running" for layer in UPPER}})
        whole = platform_run(stack)
        modelled = ml.report(stack)
        used = memory(client, stack)
        parts = flow.report(stack) + modelled + airflow.report(stack, used) + observability.report(stack)
        return Measured(ours, theirs, whole, used, parts)
    finally:
        stack.remove()
        shutil.rmtree(folder, ignore_errors=True)


def report(found: Measured) -> str:
    """The page: medians and the machine."""
    def median(rows: list[dict[str, float]], key: str) -> str:
        return f"{statistics.median(row[key] for row in rows):.1f} s" if key in rows[0] else ""

    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    keys = ["preview", "up", "up, nothing to do", "destroy"]
    rows = "\n".join(f"| {key} | {median(found.ours, key)} | {median(found.theirs, key)} | {median([found.whole], key)} |"
                     for key in keys)
    sizes = "\n".join(f"| {name} | {size:.0f} MB |" for name, size in sorted(found.used.items()))
    return f"""# Benchmarks

Written by `make bench`: medians of {RUNS} rounds on {os.cpu_count()} cores and {gib:.0f} GiB, {platform.system()}
{platform.release().split('-')[0]}, Docker {docker.from_env().version()['Version']}, images built beforehand, volumes new in
each round, the stack in `build` mode with the layers infrastructure and storage. Compose is docker-compose 1.29 on a file
generated from the same stack: the same images, commands, files, limits and health checks. Its *up* is counted until every
service is healthy, as Pulumi's is; Pulumi's *up* also declares the buckets, users, policies, databases, topics and lifecycle
rules, which Compose has no word for. The last column is the whole platform, once.

| | Pulumi | Compose | Pulumi, every layer |
| --- | --- | --- | --- |
{rows}

Memory of each service once the first model serves, without the page cache:

| service | memory |
| --- | --- |
{sizes}
| all | {sum(found.used.values()):.0f} MB |
{found.flowing}"""


def main() -> int:
    """Measures and writes the report."""
    if shutil.which("docker-compose") is None:
        print("error: docker-compose is needed for the comparison: apt-get install docker-compose", file=sys.stderr)
        return 1
    text = report(measure())
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
