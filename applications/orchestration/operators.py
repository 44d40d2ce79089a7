"""Operators: a task that is a job of one of the platform's endpoints."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from applications.orchestration.connections import endpoint as connected
from applications.orchestration.endpoint import AwayError, EndpointError, ForgottenError, Jobs, RefusedError
from applications.orchestration.triggers import JobTrigger

LOG_LINES = 20
LONGEST_KEY = 200
GRACE = timedelta(minutes=2)
"""How much later than the trigger Airflow itself gives up waiting: only where no triggerer runs."""


class JobOperator(BaseOperator):
    """Runs a job of an endpoint and waits for it without a process. Its result is the task's XCom.

    `endpoint` is a connection (`spark_batch`, `feature_engineering`, `ml_training`), `kind` and `parameters` (a template) are
    the job's, and `keep` names the parts of the result that go into the XCom, where all of it would be large. The job may take
    `execution_timeout`, its time in the queue included, and is cancelled then, and when the task is cleared or killed.

    What the endpoint refuses (422) fails without another try; an endpoint that is away, and a job that failed, are tried again.
    """

    template_fields: Sequence[str] = ("parameters",)
    template_fields_renderers: Mapping[str, str] = {"parameters": "json"}

    def __init__(self, *, endpoint: str, kind: str, parameters: Mapping[str, Any] | None = None,
                 keep: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.endpoint, self.kind, self.keep = endpoint, kind, keep
        self.parameters = parameters or {}
        self._running: str | None = None

    def execute(self, context: Mapping[str, Any]) -> None:
        """Submits the job and defers."""
        found = connected(self.endpoint)
        try:
            job = Jobs(found).submit(self.kind, self.parameters, idempotency_key(context["ti"]))
        except RefusedError as error:
            raise AirflowFailException(f"{self.kind}: {error}") from None
        except AwayError as error:
            raise AirflowException(f"{self.kind}: {error}") from None
        self._running = job["id"]
        self.log.info("job %s of %s: %s with the parameters %s", found.job_url(job["id"]), self.endpoint, self.kind,
                      job["parameters"])
        limit = self.execution_timeout or timedelta(minutes=30)
        self.defer(trigger=JobTrigger(self.endpoint, job["id"], time.time() + limit.total_seconds()), method_name="finish",
                   timeout=limit + GRACE)

    def finish(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
        """Once the job is over: its result, or an error with its own last words."""
        found, identity = connected(self.endpoint), str(event["job"])
        where = f"{self.kind} of {self.endpoint}, GET {found.job_url(identity)}"
        if event["status"] == "too-late":
            raise AirflowException(f"{where}: not over within {self.execution_timeout}, and so cancelled. What ran before it at "
                                   f"this endpoint counts in: see its /jobs and `./pipeline {found.layer} logs`")
        if event["status"] == "lost":
            raise AirflowException(f"{where}: {event['error']}")
        try:
            job = Jobs(found).get(identity)
            if job["status"] == "succeeded":
                return self._kept(job["result"])
            lines = Jobs(found).tail(identity, LOG_LINES)
        except (AwayError, ForgottenError, EndpointError) as error:
            raise AirflowException(f"{where}: {error}") from None
        self.log.error("the last lines of the job's log:\n%s", "\n".join(lines) or "(it has none)")
        if job["status"] == "cancelled":
            raise AirflowFailException(f"{where}: {job['error']}. Somebody cancelled it; clear this task to run it again")
        raise AirflowException(f"{where} failed: {job['error']}. More: {found.job_url(identity)}/logs and "
                               f"`./pipeline {found.layer} logs`")

    def on_kill(self) -> None:
        """Cancels the job of a task that is ended before it could defer."""
        if self._running is not None:
            Jobs(connected(self.endpoint)).cancel(self._running)

    def _kept(self, result: Any) -> dict[str, Any]:
        found = result if isinstance(result, dict) else {}
        self.log.info("the job's result: %s", found)
        return found if self.keep is None else {name: found[name] for name in self.keep if name in found}


def idempotency_key(instance: Any) -> str:
    """A key for each try of each task: a try that is started twice finds its job again. The instance's own id makes it differ
    from that of a run of the same name which was deleted."""
    text = f"{instance.dag_id}/{instance.run_id}/{instance.task_id}/{instance.map_index}/{instance.try_number}/{instance.id}"
    if len(text) <= LONGEST_KEY and text.isascii():
        return text
    return sha256(text.encode()).hexdigest()
