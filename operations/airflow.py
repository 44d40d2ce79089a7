"""Airflow from outside, through its own interface: which DAGs there are, their runs, and starting them."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import quote

import requests

from components.orchestration.airflow import WEBSERVER
from components.orchestration.settings import OrchestrationSettings
from components.settings import Settings
from operations.faults import OperationError

USER = "admin"
SECONDS = 30
"""How long one answer may take: the first after a start loads much of Airflow."""
PAGE = 100
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 5.0
ENDED = ("success", "failed")


@dataclass(frozen=True)
class Dag:
    """A workflow: its schedule in words (None for one that is started by hand), its newest run and when the next one comes."""

    id: str
    paused: bool
    schedule: str | None
    last_state: str | None
    last_time: datetime | None
    next_time: datetime | None


@dataclass(frozen=True)
class Run:
    """A run of a DAG: queued, running, success or failed. `page` is where a person sees it."""

    dag: str
    id: str
    state: str
    begin: datetime | None
    end: datetime | None
    note: str | None
    page: str

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


@dataclass(frozen=True)
class TaskState:
    """A task of a run. `index` is -1 unless it is one of several copies; `state` is None while it is not its turn; `attempt`
    counts from 1."""

    id: str
    index: int
    state: str | None
    attempt: int
    begin: datetime | None
    end: datetime | None


class Airflow:
    """A stack's Airflow, spoken to as its administrator. Every method raises OperationError with what to do."""

    def __init__(self, settings: Settings) -> None:
        port = settings.of(OrchestrationSettings).port(WEBSERVER)
        self.url = f"http://{settings.platform.bind_address}:{port}"
        self._password = settings.platform.secrets["airflow-admin"]
        self._session = requests.Session()

    def dags(self) -> list[Dag]:
        """Every DAG, by name."""
        return [self._dag(found) for found in self._all("dags", "dags", order_by="dag_id")]

    def trigger(self, dag_id: str, conf: Mapping[str, Any], note: str | None = None) -> Run:
        """Starts a run with these parameters; one of a paused DAG waits until that is no longer paused."""
        body = {"logical_date": None, "conf": dict(conf), "note": note}
        return self._run(self._of_dag("POST", dag_id, "/dagRuns", json=body))

    def run(self, dag_id: str, run_id: str) -> Run:
        """What a run is now."""
        return self._run(self._of_dag("GET", dag_id, f"/dagRuns/{quote(run_id, safe='')}"))

    def runs(self, dag_id: str, most: int | None = None) -> list[Run]:
        """The newest runs of a DAG, the newest first; every run without `most`."""
        path = f"dags/{quote(dag_id, safe='')}/dagRuns"
        found = self._all(path, "dag_runs", about=dag_id, order_by="-run_after")
        return [self._run(run) for run in islice(found, most)]

    def wait(self, run: Run, seconds: float) -> Run:
        """The run once it has ended, well or not. Raises OperationError where it has not within `seconds`."""
        deadline, pause = time.monotonic() + seconds, SHORTEST_PAUSE
        while not (now := self.run(run.dag, run.id)).ended:
            if time.monotonic() + pause > deadline:
                busy = [task.id for task in self.tasks(run) if task.state not in (None, "success", "skipped")]
                raise OperationError(f"{run.dag}: the run {run.id} is {now.state} after {seconds:.0f} s, and goes on; it is at "
                                     f"{', '.join(busy) or 'no task yet'}. {run.page} shows it")
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
        return now

    def tasks(self, run: Run) -> list[TaskState]:
        """The tasks of a run, in the order in which they began; those that have not come last."""
        path = f"dags/{run.dag}/dagRuns/{quote(run.id, safe='')}/taskInstances"
        states = [TaskState(id=task["task_id"], index=task["map_index"], state=task["state"], attempt=max(1, task["try_number"]),
                            begin=when(task["start_date"]), end=when(task["end_date"]))
                  for task in self._all(path, "task_instances")]
        return sorted(states, key=lambda task: (task.begin is None, task.begin.timestamp() if task.begin else 0.0, task.id))

    def log(self, run: Run, task: TaskState) -> str:
        """What the newest attempt of a task said, a line for each message."""
        path = f"/dagRuns/{quote(run.id, safe='')}/taskInstances/{task.id}/logs/{task.attempt}"
        query: dict[str, Any] = {"map_index": task.index, "full_content": "true"}
        lines = map(line_of, self._of_dag("GET", run.dag, path, params=query)["content"])
        return "\n".join(line for line in lines if "::group::" not in line and "::endgroup::" not in line)

    def backfill(self, dag_id: str, begin: datetime, end: datetime) -> list[Run]:
        """Starts the runs of the schedule whose times lie in the range (with offsets, `end` included) and that there are not
        yet; returns these and those of earlier backfills in it."""
        body = {"dag_id": dag_id, "from_date": begin.isoformat(), "to_date": end.isoformat(), "reprocess_behavior": "none"}
        self._ask("POST", "backfills", json=body, about=dag_id)
        found = self._all(f"dags/{dag_id}/dagRuns", "dag_runs", run_type="backfill", order_by="logical_date",
                          logical_date_gte=begin.isoformat(), logical_date_lte=end.isoformat())
        return [self._run(run) for run in found]

    def pause(self, dag_id: str, paused: bool) -> Dag:
        """Makes the schedule of a DAG rest, or go on."""
        return self._dag(self._of_dag("PATCH", dag_id, "", json={"is_paused": paused}, params={"update_mask": "is_paused"}))

    def import_errors(self) -> dict[str, str]:
        """The last line of what is wrong with each file of DAGs that cannot be read, by file."""
        return {found["filename"]: found["stack_trace"].strip().splitlines()[-1]
                for found in self._all("importErrors", "import_errors")}

    def _dag(self, found: Mapping[str, Any]) -> Dag:
        query = {"limit": 1, "order_by": "-run_after"}
        runs = self._ask("GET", f"dags/{found['dag_id']}/dagRuns", params=query)["dag_runs"]
        last = self._run(runs[0]) if runs else None
        return Dag(id=found["dag_id"], paused=found["is_paused"], schedule=found["timetable_summary"],
                   last_state=last.state if last else None, last_time=last.begin if last else None,
                   next_time=when(found["next_dagrun_run_after"]))

    def _run(self, found: Mapping[str, Any]) -> Run:
        dag, name = found["dag_id"], found["dag_run_id"]
        return Run(dag=dag, id=name, state=found["state"], begin=when(found["start_date"]), end=when(found["end_date"]),
                   note=found["note"], page=f"{self.url}/dags/{dag}/runs/{quote(name, safe='')}")

    def _all(self, path: str, key: str, about: str | None = None, **query: Any) -> Iterator[dict[str, Any]]:
        """Every entry of a list that comes in pages."""
        seen = 0
        while True:
            found = self._ask("GET", path, about=about, params={**query, "limit": PAGE, "offset": seen})
            yield from found[key]
            seen += len(found[key])
            if not found[key] or seen >= found["total_entries"]:
                return

    def _of_dag(self, method: str, dag_id: str, path: str, **more: Any) -> Any:
        return self._ask(method, f"dags/{quote(dag_id, safe='')}{path}", about=dag_id, **more)

    def _ask(self, method: str, path: str, about: str | None = None, **more: Any) -> Any:
        """The answer to one request, with a token that is fetched when there is none or it has expired."""
        answer = self._send(method, f"/api/v2/{path}", **more) if "Authorization" in self._session.headers else None
        if answer is None or answer.status_code == requests.codes.unauthorized:
            self._session.headers["Authorization"] = f"Bearer {self._token()}"
            answer = self._send(method, f"/api/v2/{path}", **more)
        if answer.ok:
            return answer.json()
        if answer.status_code == requests.codes.not_found and about is not None:
            self._refuse_unknown(about)
        place = f"; {self.url}/dags/{about} shows the DAG and its parameters" if about else ""
        raise OperationError(f"Airflow refuses {method} {path} ({answer.status_code}): {reason(answer)}{place}")

    def _refuse_unknown(self, dag_id: str) -> None:
        """Raises OperationError if there is no such DAG, with those that there are."""
        names = [found["dag_id"] for found in self._all("dags", "dags", order_by="dag_id")]
        if dag_id not in names:
            close = difflib.get_close_matches(dag_id, names, n=1)
            meant = f"did you mean {close[0]}? " if close else ""
            raise OperationError(f"there is no DAG {dag_id}; {meant}There are: {', '.join(names) or 'none yet'}")

    def _token(self) -> str:
        self._session.headers.pop("Authorization", None)
        answer = self._send("POST", "/auth/token", json={"username": USER, "password": self._password})
        if not answer.ok:
            raise OperationError(f"Airflow does not let {USER} in ({answer.status_code}): {reason(answer)}. "
                                 "`./pipeline orchestration start-force` gives it the password that the stack has")
        return str(answer.json()["access_token"])

    def _send(self, method: str, path: str, **more: Any) -> requests.Response:
        try:
            return self._session.request(method, f"{self.url}{path}", timeout=SECONDS, **more)
        except requests.RequestException as error:
            raise OperationError(f"Airflow does not answer on {self.url} ({type(error).__name__}); "
                                 "`./pipeline orchestration status` shows whether it runs, `./pipeline orchestration start` "
                                 "starts it") from None


def when(text: str | None) -> datetime | None:
    """A time of an answer, with its offset."""
    return datetime.fromisoformat(text) if text else None


def reason(answer: requests.Response) -> str:
    """What an answer says is wrong, each field that it names with its fault."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.text.strip()[:300] or "without a word"
    if isinstance(detail, list):
        return "; ".join(f"{'.'.join(map(str, fault.get('loc', [])[1:]))}: {fault.get('msg')}" for fault in detail)
    # After an empty line comes the schema of a parameter, which its page shows better.
    return str(detail.get("reason", detail)) if isinstance(detail, dict) else str(detail).split("\n\n")[0]


def line_of(entry: Mapping[str, Any] | str) -> str:
    """A message of a log as a line: time, level, words, and an exception's last words."""
    if isinstance(entry, str):
        return entry
    faults = [f"{fault.get('exc_type')}: {fault.get('exc_value')}" for fault in entry.get("error_detail") or []]
    parts = (entry.get("timestamp"), str(entry.get("level", "")).upper(), entry["event"], *faults)
    return " ".join(str(part) for part in parts if part)
