"""Probes of the orchestration layer, and its own commands: DAGs and their runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Annotated

import docker
import requests
import typer
from docker.errors import NotFound

from components.orchestration.airflow import WEBSERVER
from components.orchestration.settings import OrchestrationSettings
from components.settings import Settings
from operations.airflow import Airflow
from operations.faults import OperationError
from operations.job_commands import Parameters
from operations.jobs import parameters_of
from operations.options import DEFAULT_STACK, DryRun, Json, StackName
from operations.probes import Probe
from operations.running import settings_while_running
from operations.showing import notes, say, show, show_facts

SECONDS = 10
WAIT_SECONDS = 3600
DAG_COLUMNS = {"id": "DAG", "schedule": "schedule", "paused": "paused", "last_state": "last run", "last_time": "began (UTC)",
               "next_time": "next (UTC)"}
RUN_COLUMNS = {"id": "run", "state": "state", "begin": "began (UTC)", "end": "ended (UTC)", "note": "note"}


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


def airflow_of(name: str) -> Airflow:
    """The stack's Airflow. Raises OperationError while the layer does not run."""
    return Airflow(settings_while_running(OrchestrationSettings, name))


def add_commands(group: typer.Typer) -> None:
    """Adds dags and trigger."""

    @group.command("dags")
    def list_dags(dag: Annotated[str | None, typer.Argument(help="One DAG, of which the newest runs are shown.")] = None,
                  stack: StackName = DEFAULT_STACK,
                  limit: Annotated[int, typer.Option(min=1, max=1000, help="How many runs.")] = 10, as_data: Json = False) -> None:
        """Every DAG with its schedule, its newest run and the next one; or the newest runs of one."""
        airflow = airflow_of(stack)
        if dag is None:
            show([asdict(found) for found in airflow.dags()], DAG_COLUMNS, as_data=as_data, nothing="no DAG was read yet")
            for file, words in airflow.import_errors().items():
                say(f"{file} cannot be read: {words}")
        else:
            show([asdict(run) for run in airflow.runs(dag, limit)], RUN_COLUMNS, as_data=as_data, nothing=f"{dag} never ran")

    @group.command()
    def trigger(dag: Annotated[str, typer.Argument(help="The DAG.")], parameters: Parameters = None,
                stack: StackName = DEFAULT_STACK, note: Annotated[str | None, typer.Option(help="Why; the run shows it.")] = None,
                wait: Annotated[bool, typer.Option("--wait", help="Wait for its end; its failure is the command's.")] = False,
                seconds: Annotated[int, typer.Option("--timeout", min=1, help="How many seconds to wait.")] = WAIT_SECONDS,
                dry_run: DryRun = False, as_data: Json = False) -> None:
        """Starts a run: `trigger feature_backfill from=2026-11-01 to=2026-11-08 --wait`. docs/orchestration.md has parameters."""
        start_run(airflow_of(stack), dag, parameters_of(parameters or ()), note, seconds if wait else None, dry_run, as_data)


def start_run(airflow: Airflow, dag: str, parameters: dict[str, object], note: str | None, seconds: int | None, dry_run: bool,
              as_data: bool) -> None:
    """Starts a run and, with `seconds`, waits for its end. Raises OperationError with the task that failed where it does."""
    if dry_run:
        say(f"would start {dag} with {parameters or 'its own defaults'} on {airflow.url}")
        return
    run = airflow.trigger(dag, parameters, note)
    if seconds is not None:
        with notes.status(f"{dag} {run.id} ({run.page})"):
            run = airflow.wait(run, seconds)
    if run.state == "failed":
        broken = [task for task in airflow.tasks(run) if task.state == "failed"]
        last = airflow.log(run, broken[0]).strip().splitlines()[-1:] if broken else []
        place = f" at {broken[0].id}" if broken else ""
        raise OperationError(f"{dag}: the run {run.id} failed{place}: {''.join(last)}; {run.page} shows it, and a task that is "
                             "cleared there goes on")
    show_facts(asdict(run), as_data=as_data)
