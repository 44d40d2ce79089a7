"""Probes of the processing layer, and its own commands: Spark's jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Annotated

import requests
import typer

from components.processing.layer import MASTER, WORKER_PAGE
from components.processing.settings import ProcessingSettings
from components.settings import Settings
from operations import inside, job_commands
from operations.job_commands import Cancel, JobId, Limit, Logs, Parameters, Status, Wait
from operations.jobs import Jobs, parameters_of
from operations.options import DEFAULT_STACK, DryRun, Json, StackName
from operations.probes import Probe
from operations.running import settings_while_running

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


def endpoint(name: str) -> Jobs:
    """The job endpoint of a stack. Raises OperationError while the layer does not run."""
    return Jobs(settings_while_running(ProcessingSettings, name), ProcessingSettings, "spark-batch", "spark-jobs-key")


def add_commands(group: typer.Typer) -> None:
    """Adds submit and jobs."""

    @group.command()
    def submit(kind: Annotated[str, typer.Argument(help="backfill, gold or compact.")], parameters: Parameters = None,
               stack: StackName = DEFAULT_STACK, wait: Wait = True, dry_run: DryRun = False, as_data: Json = False) -> None:
        """Runs a Spark job: `submit gold from=2026-11-24 to=2026-11-25`. docs/processing.md has the kinds and parameters."""
        job_commands.run(endpoint(stack), kind, parameters_of(parameters or ()), wait=wait, dry_run=dry_run, as_data=as_data)

    @group.command()
    def jobs(job: JobId = None, stack: StackName = DEFAULT_STACK, status: Status = None, limit: Limit = 20, logs: Logs = None,
             cancel: Cancel = False, as_data: Json = False) -> None:
        """The latest Spark jobs; with an id that one, with --logs its log, with --cancel its end."""
        job_commands.jobs([endpoint(stack)], job, status=status, limit=limit, logs=logs, cancel=cancel, as_data=as_data)
