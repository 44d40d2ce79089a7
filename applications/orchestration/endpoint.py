"""Job endpoints as a DAG sees them: submit a job, ask for it, read its log, cancel it. No Airflow in here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

SECONDS = httpx.Timeout(20, connect=5)
OVER = frozenset({"succeeded", "failed", "cancelled"})
_SERVER_ERRORS = 500
_CONFLICT, _TOO_MANY = 409, 429


class EndpointError(Exception):
    """What an endpoint could not do, in words for whoever runs the platform."""


class AwayError(EndpointError):
    """The endpoint does not answer, or says that it cannot now: the same request may work later."""


class RefusedError(EndpointError):
    """The request is wrong, and stays wrong however often it is sent."""


class ForgottenError(EndpointError):
    """The endpoint has no job of this id (any more)."""


@dataclass(frozen=True)
class Endpoint:
    """A service of the platform over HTTP: the connection's `name`, its `url` without a slash at the end, the API `key` (may be
    empty), and the `layer` whose logs tell more."""

    name: str
    url: str
    key: str = field(repr=False)
    layer: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What every request to it carries."""
        return {"X-API-Key": self.key} if self.key else {}

    def job_url(self, identity: str) -> str:
        """Where a job can be read."""
        return f"{self.url}/jobs/{identity}"

    def client(self) -> httpx.Client:
        """A client that shows the key and does not wait for minutes."""
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=SECONDS)

    def async_client(self) -> httpx.AsyncClient:
        """The same for coroutines."""
        return httpx.AsyncClient(base_url=self.url, headers=self.headers, timeout=SECONDS)

    def judged(self, answer: httpx.Response) -> Any:
        """The JSON of an answer. Raises AwayError for 5xx and 429, RefusedError with every reason for what is wrong."""
        if answer.is_success:
            return answer.json()
        if answer.status_code >= _SERVER_ERRORS or answer.status_code == _TOO_MANY:
            raise AwayError(f"{self.name} at {self.url} answers {answer.status_code}: see `./pipeline {self.layer} logs`; the same "
                            "request can be sent again")
        raise RefusedError(f"{self.name} at {self.url} refuses the request ({answer.status_code}): {_reasons(answer)}")

    def away(self, error: httpx.HTTPError) -> AwayError:
        """The words for a connection that failed."""
        return AwayError(f"{self.name} at {self.url} does not answer ({type(error).__name__}): see `./pipeline {self.layer} "
                         f"health`, and `./pipeline {self.layer} start` where it stands still")


class Jobs:
    """The jobs of one endpoint. Every method raises AwayError and RefusedError; those that name a job ForgottenError, too."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def submit(self, kind: str, parameters: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Queues a job, and gives it as the endpoint tells it. The same idempotency `key` gives the same job."""
        with self._asking() as client:
            answer = client.post("/jobs", json={"kind": kind, "parameters": dict(parameters)}, headers={"Idempotency-Key": key})
            found: dict[str, Any] = self._endpoint.judged(answer)
            return found

    def get(self, identity: str) -> dict[str, Any]:
        """A job as it is now."""
        with self._asking() as client:
            return job_of(self._endpoint, client.get(f"/jobs/{identity}"))

    def tail(self, identity: str, lines: int) -> list[str]:
        """The last lines of a job's log."""
        with self._asking() as client:
            answer = client.get(f"/jobs/{identity}/logs", params={"lines": lines})
            if not answer.is_success:
                job_of(self._endpoint, answer)
            return answer.text.splitlines()

    def cancel(self, identity: str) -> None:
        """Cancels a job; one that is over stays as it is."""
        with self._asking() as client:
            cancelled(self._endpoint, client.delete(f"/jobs/{identity}"))

    @contextmanager
    def _asking(self) -> Iterator[httpx.Client]:
        try:
            with self._endpoint.client() as client:
                yield client
        except httpx.HTTPError as error:
            raise self._endpoint.away(error) from error


def job_of(endpoint: Endpoint, answer: httpx.Response) -> dict[str, Any]:
    """The job of an answer. Raises ForgottenError when there is none of that id."""
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise ForgottenError(f"{endpoint.name} at {endpoint.url} no longer knows the job: its volume was lost or made anew, or "
                             "very many jobs ran since. Run the task again")
    found: dict[str, Any] = endpoint.judged(answer)
    return found


def cancelled(endpoint: Endpoint, answer: httpx.Response) -> None:
    """Judges the answer to a cancellation: a job that is over or unknown needs none."""
    if answer.status_code not in (_CONFLICT, httpx.codes.NOT_FOUND):
        endpoint.judged(answer)


def _reasons(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return "it does not say why; is there a job endpoint at this address?"
    reasons = [f"{reason.get('field')}: {reason.get('message')}" for reason in body.get("reasons", ())]
    return "; ".join([str(body.get("error", "without a reason")), *reasons])
