"""Probes of the orchestration layer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import docker
import requests
from docker.errors import NotFound

from components.orchestration.airflow import WEBSERVER
from components.orchestration.settings import OrchestrationSettings
from components.settings import Settings
from operations.airflow import Airflow
from operations.probes import Probe

SECONDS = 10


def probes(settings: Settings) -> Iterator[Probe]:
    """One probe a process of Airflow: the web server answers for those that have no interface, from their heartbeats."""
    layer = settings.of(OrchestrationSettings)
    url = f"http://{settings.platform.bind_address}:{layer.port(WEBSERVER)}"
    yield Probe(WEBSERVER, partial(database, url))
    yield Probe("airflow-scheduler", partial(heartbeat, url, "scheduler"))
    yield Probe("airflow-dag-processor", partial(dags, url, Airflow(settings)))
    yield Probe("airflow-triggerer", partial(heartbeat, url, "triggerer"))
    for name in layer.workers():
        yield Probe(name, partial(worker, f"{settings.catalog.project}-{layer.stack}-{name}"))


def state(url: str, part: str) -> dict[str, str | None]:
    """What the web server says of one part. Raises requests.RequestException where it does not answer."""
    answer = requests.get(f"{url}/api/v2/monitor/health", timeout=SECONDS)
    answer.raise_for_status()
    found = answer.json().get(part) or {}
    return dict(found)


def database(url: str) -> str:
    """The web server and its database. Raises RuntimeError when it has none."""
    if state(url, "metadatabase").get("status") != "healthy":
        raise RuntimeError("does not reach its database; look at `./pipeline infrastructure health`")
    return "answers, reaches its database"


def heartbeat(url: str, part: str) -> str:
    """When a process last said that it lives. Raises RuntimeError when that is too long ago, or it never did."""
    found = state(url, part)
    last = found.get(f"latest_{part}_heartbeat")
    if found.get("status") != "healthy":
        raise RuntimeError(f"its last heartbeat was at {last}" if last else "has never given a heartbeat")
    return f"heartbeat at {str(last)[11:19]} UTC"


def dags(url: str, airflow: Airflow) -> str:
    """The processor of DAGs and what it has read. Raises RuntimeError for a file that it cannot read."""
    alive = heartbeat(url, "dag_processor")
    errors = airflow.import_errors()
    if errors:
        file, words = next(iter(errors.items()))
        more = f" (and {len(errors) - 1} files more)" if len(errors) > 1 else ""
        raise RuntimeError(f"{file} cannot be read{more}: {words}")
    return alive


def worker(container: str) -> str:
    """Whether a Celery worker answers through the queue. Raises RuntimeError where it does not."""
    client = docker.from_env(timeout=SECONDS * 3)
    try:
        status, _ = client.containers.get(container).exec_run(["python3", "/opt/worker-health.py"])
    except NotFound:
        raise RuntimeError("there is no container") from None
    finally:
        client.close()
    if status != 0:
        raise RuntimeError("does not answer through the queue; look at `./pipeline orchestration logs` and at Redis")
    return "answers through the queue"
