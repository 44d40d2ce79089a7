"""A layer's job endpoint from outside: submitting jobs, looking at them, and waiting for their end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import requests

from components.settings import LayerSettings, Settings
from operations.faults import OperationError

SECONDS = 10
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
AWAY_SECONDS = 60
"""How long an endpoint may be away while its job is waited for: a restart takes less."""
OVER = ("succeeded", "failed", "cancelled")
JobStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]
LAST_LINES = 20
Job = dict[str, Any]


class Away(OperationError):
    """The endpoint does not answer."""


class Jobs:
    """The job endpoint of a service. Every method raises OperationError with what to do."""

    def __init__(self, settings: Settings, kind: type[LayerSettings], service: str, secret: str) -> None:
        layer = settings.of(kind)
        self.url, self.service = f"http://{settings.platform.bind_address}:{layer.port(service)}", service
        self._layer, self._stack = layer.layer, layer.stack
        self._session = requests.Session()
        self._session.headers["X-API-Key"] = settings.platform.secrets[secret]

    def submit(self, kind: str, parameters: Mapping[str, Any]) -> Job:
        """Queues a job."""
        return dict(self._ask("POST", "/jobs", json={"kind": kind, "parameters": dict(parameters)}).json())

    def job(self, identity: str) -> Job:
        """One job as it is now."""
        return dict(self._ask("GET", f"/jobs/{identity}").json())

    def latest(self, *, kind: str | None = None, status: JobStatus | None = None, limit: int = 20) -> list[Job]:
        """The latest jobs first."""
        return list(self._ask("GET", "/jobs", params={"kind": kind, "status": status, "limit": limit}).json()["jobs"])

    def log(self, identity: str, lines: int) -> str:
        """The last lines of a job's log."""
        return self._ask("GET", f"/jobs/{identity}/logs", params={"lines": lines}).text

    def cancel(self, identity: str) -> Job:
        """Ends a job that waits or runs."""
        return dict(self._ask("DELETE", f"/jobs/{identity}").json())

    def document(self, path: str) -> Any:
        """What the endpoint answers besides."""
        return self._ask("GET", path).json()

    def wait(self, identity: str, show: Callable[[str], None] = lambda _: None) -> Job:
        """The job once it is over. An endpoint that restarts meanwhile is waited for."""
        pause, seen = SHORTEST_PAUSE, time.monotonic()
        while True:
            try:
                now = self.job(identity)
                seen = time.monotonic()
            except Away:
                if time.monotonic() - seen > AWAY_SECONDS:
                    raise
                now = {"status": "not to be asked: its service is away"}
            if now["status"] in OVER:
                return now
            show(f"{identity} is {now['status']}")
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def end_well(self, job: Job) -> Job:
        """The job, where it succeeded. Raises OperationError with its own words and the end of its log where it did not."""
        if job["status"] == "succeeded":
            return job
        identity = job["id"]
        tail = "".join(f"\n  {line}" for line in self.log(identity, LAST_LINES).splitlines())
        raise OperationError(f"the job {job['kind']} {identity} {job['status']}: {job['error'] or 'without a word'}\n"
                             f"The end of its log:{tail or ' (empty)'}\nWhat to do: mend what the log names, then submit it again; "
                             "every job can be repeated.")

    def _ask(self, method: str, path: str, **more: Any) -> requests.Response:
        try:
            answer = self._session.request(method, f"{self.url}{path}", timeout=SECONDS, **more)
        except requests.RequestException as error:
            raise Away(f"{self.service} does not answer on {self.url} ({type(error).__name__}); `./pipeline {self._layer} status "
                       f"--stack {self._stack}` shows whether it runs, `./pipeline {self._layer} start --stack {self._stack}` "
                       "starts it") from None
        if answer.ok:
            return answer
        if answer.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
            raise OperationError(f"{self.service} does not take the stack's key; `./pipeline {self._layer} start-force --stack "
                                 f"{self._stack}` gives it the one that the stack has")
        raise OperationError(f"{self.service} refuses {method} {path} ({answer.status_code}): {reason(answer)}")


def reason(answer: requests.Response) -> str:
    """What an endpoint says is wrong, each field with its fault."""
    try:
        found = answer.json()
        faults = [f"{fault['field']}: {fault['message']}" for fault in found.get("reasons", [])]
        return "; ".join([str(found["error"]), *faults])
    except (ValueError, KeyError, TypeError, AttributeError):
        return answer.text.strip()[:300] or "without a word"


def parameters_of(given: Sequence[str]) -> dict[str, Any]:
    """`name=value` as parameters; a value is JSON where it can be (3, true, ["a"]), else text. Raises OperationError."""
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise OperationError(f"{text!r} is no parameter: write name=value, such as from=2026-11-24 or days=3")
        if name in found:
            raise OperationError(f"the parameter {name} is given twice")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
