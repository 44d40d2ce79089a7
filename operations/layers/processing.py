"""Probes of the processing layer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

import requests

from components.processing.layer import MASTER, WORKER_PAGE
from components.processing.settings import ProcessingSettings
from components.settings import Settings
from operations import inside
from operations.probes import Probe

SECONDS = 5


def probes(settings: Settings) -> Iterator[Probe]:
    """One probe a service: Spark's daemons through their own state, the stream and the jobs through what they say of themselves."""
    layer, address = settings.of(ProcessingSettings), settings.platform.bind_address
    prefix = f"{settings.catalog.project}-{layer.stack}"
    yield Probe(MASTER, partial(master, f"http://{address}:{layer.port(MASTER)}", len(layer.workers())))
    for name in layer.workers():
        yield Probe(name, partial(worker, f"{prefix}-{name}"))
    for service in ("spark-streaming", "spark-batch"):
        yield Probe(service, partial(inside.health, f"{prefix}-{service}"))


def master(url: str, workers: int) -> str:
    """The master's view of its cluster. Raises RuntimeError when workers are missing."""
    answer = requests.get(f"{url}/json/", timeout=SECONDS)
    answer.raise_for_status()
    state = answer.json()
    alive = [worker for worker in state["workers"] if worker["state"] == "ALIVE"]
    if state["status"] != "ALIVE" or len(alive) < workers:
        raise RuntimeError(f"is {state['status']} with {len(alive)} of {workers} workers; look at `./pipeline processing logs`")
    return f"{len(alive)} workers, {state['coresused']} of {state['cores']} cores used, {len(state['activeapps'])} applications"


def worker(container: str) -> str:
    """What a worker runs. Raises RuntimeError where it does not answer."""
    status, body = inside.get(container, "/json/", WORKER_PAGE)
    if status != 200:
        raise RuntimeError(f"answers {status}")
    state = json.loads(body)
    return f"{state['coresused']} of {state['cores']} cores, {state['memoryused']} of {state['memory']} MB"
