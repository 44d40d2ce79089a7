"""What the commands on jobs share: submit one and wait, list them, look at one, cancel one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from operations.faults import OperationError
from operations.jobs import OVER, Job, Jobs, JobStatus
from operations.showing import notes, say, show, show_data, show_facts

Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is over; its failure is the command's.")]
Parameters = Annotated[list[str] | None, typer.Argument(help="Parameters of the job, as name=value.", metavar="[NAME=VALUE]...")]
JobId = Annotated[str | None, typer.Argument(help="One job, by its id; the latest ones without it.")]
Status = Annotated[JobStatus | None, typer.Option("--status", help="Only jobs in this state.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many jobs.")]
Logs = Annotated[int | None, typer.Option("--logs", min=1, max=100_000, metavar="LINES", help="The last lines of the job's log.")]
Cancel = Annotated[bool, typer.Option("--cancel", help="End the job.")]
COLUMNS = {"id": "id", "kind": "kind", "status": "status", "submitted": "submitted (UTC)", "seconds": "seconds", "error": "error"}


def run(endpoint: Jobs, kind: str, parameters: Mapping[str, Any], *, wait: bool, dry_run: bool = False,
        as_data: bool = False) -> None:
    """Submits a job, and waits for it if told; prints what came of it. Raises OperationError for a job that fails."""
    if dry_run:
        say(f"would submit {kind} {dict(parameters) or 'without parameters'} to {endpoint.service} ({endpoint.url})")
        return
    job = endpoint.submit(kind, parameters)
    if wait:
        with told_where(endpoint, job), notes.status(f"{kind} {job['id']}") as status:
            job = endpoint.end_well(endpoint.wait(job["id"], status.update))
    if as_data:
        show_data(job)
        return
    result = job["result"] if isinstance(job["result"], dict) else {}
    show_facts({"job": job["id"], "kind": job["kind"], "status": job["status"], **result}, as_data=False)


@contextlib.contextmanager
def told_where(endpoint: Jobs, job: Job) -> Iterator[None]:
    """Whoever stops waiting is told that the job goes on."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"the job {job['id']} goes on; {endpoint.service} runs it ({endpoint.url}/docs)")
        raise


def jobs(endpoints: list[Jobs], identity: str | None, *, status: JobStatus | None = None, limit: int = 20, logs: int | None = None,
         cancel: bool = False, as_data: bool = False) -> None:
    """Lists the latest jobs of the endpoints, or shows, logs or cancels the one with that id. Raises OperationError."""
    if identity is None:
        if cancel or logs is not None:
            raise OperationError("name the job: its id stands in the list that this command prints without options")
        found = sorted((row_of(job) for one in endpoints for job in one.latest(status=status, limit=limit)),
                       key=lambda row: str(row["submitted"]), reverse=True)[:limit]
        show(found, COLUMNS, as_data=as_data, nothing="no job")
        return
    endpoint = holder(endpoints, identity)
    if cancel:
        endpoint.cancel(identity)
    if logs is not None:
        print(endpoint.log(identity, logs), end="")
        return
    show_facts(endpoint.job(identity), as_data=as_data)


def holder(endpoints: list[Jobs], identity: str) -> Jobs:
    """The endpoint that has the job. Raises the last one's OperationError where none has."""
    for endpoint in endpoints[:-1]:
        with contextlib.suppress(OperationError):
            endpoint.job(identity)
            return endpoint
    endpoints[-1].job(identity)
    return endpoints[-1]


def row_of(job: Job) -> dict[str, Any]:
    """A job in a list: with its duration, and its error's first line."""
    begin, end = job["started"], job["finished"]
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() if begin and end else None
    error = (job["error"] or "").partition("\n")[0][:100] or None
    return {**job, "seconds": seconds if job["status"] in OVER else None, "submitted": datetime.fromisoformat(job["submitted"]),
            "error": error}
