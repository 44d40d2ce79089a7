"""Airflow of a stack, as its operators use it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from components.settings import Settings
from operations.airflow import Airflow, Run, TaskState
from operations.faults import OperationError
from tests.e2e.flow import LONGEST, wait_until
from tests.e2e.stack import Stack

PIPELINE, RETRAINING = "clinical_data_pipeline", "scheduled_retraining"
ALERT = f'pipeline_alert_open{{dag="{PIPELINE}",task="wait_for_bronze"}}'
PIPELINE_MINUTES = 5
"""Of an interval of the hourly DAG here: nobody waits for three hours."""


class Workflows:
    """The client of the management command, and what tests want besides."""

    def __init__(self, stack: Stack) -> None:
        self.airflow = Airflow(Settings.parse(stack.project["name"], stack.name, {
            "clinical:portOffset": str(stack.offset), "clinical:secrets": stack.secrets}))

    def begun(self) -> None:
        """Waits until the first planned run of the pipeline has looked for records: from there on none is forgotten."""
        wait_until("the first planned run of the pipeline has looked at bronze", lambda: any(
            task.begin is not None for run in self.airflow.runs(PIPELINE) for task in self.airflow.tasks(run)))

    def hold(self, dag: str) -> None:
        """Lets no run of a DAG begin, as soon as it is there."""
        wait_until(f"{dag} is there", lambda: dag in {found.id for found in self.airflow.dags()})
        self.airflow.pause(dag, True)

    def start(self, dag: str, **parameters: Any) -> Run:
        """Starts a run."""
        return self.airflow.trigger(dag, parameters)

    def refused(self) -> Run:
        """A run of the pipeline that cannot be, when it is over: it was asked for records of tomorrow."""
        begin, hour = datetime.now(UTC) + timedelta(days=1), timedelta(hours=1)
        return self.airflow.wait(self.start(PIPELINE, **{"from": begin.isoformat(), "to": (begin + hour).isoformat()}), LONGEST)

    def succeeded(self, run: Run) -> Mapping[str, TaskState]:
        """Waits for the end of a run and returns its tasks. Raises AssertionError with the logs of those that failed."""
        try:
            ended = self.airflow.wait(run, LONGEST * 2)
        except OperationError as error:
            raise AssertionError(f"{error}\n{self._words(run)}") from None
        assert ended.state == "success", f"{run.dag} {run.id} is {ended.state}\n{self._words(run)}"
        return {task.id: task for task in self.airflow.tasks(run)}

    def reached(self, run: Run, task: str, *states: str) -> TaskState:
        """Waits until a task is in one of these states."""
        wait_until(f"{task} of {run.dag} is {' or '.join(states)}", lambda: self.task(run, task).state in states)
        return self.task(run, task)

    def task(self, run: Run, name: str) -> TaskState:
        """A task of a run as it is now."""
        return next(task for task in self.airflow.tasks(run) if task.id == name)

    def _words(self, run: Run) -> str:
        return "\n".join(f"--- {task.id}: {task.state}\n{self.airflow.log(run, task)[-3000:]}" for task in self.airflow.tasks(run)
                         if task.state not in (None, "success", "skipped"))


def metrics(stack: Stack) -> str:
    """What Prometheus reads of the reports."""
    answer = httpx.get(f"http://127.0.0.1:{stack.port('airflow-webserver')}/monitoring/metrics", timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.text
