"""The other services that speak HTTP, as monitoring asks them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

SECONDS = 10.0


class Away(Exception):
    """A service does not answer as it should, in words for whoever runs the platform."""


class Client:
    """A service's JSON interface. Every method raises Away. Safe for threads."""

    def __init__(self, name: str, url: str, seconds: float = SECONDS) -> None:
        self.name, self.url = name, url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=seconds, trust_env=False)

    def get(self, path: str, **parameters: Any) -> Any:
        """The answer to GET."""
        return self.json(self.send("GET", path, params=parameters))

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer to a request, whatever its status."""
        try:
            return self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise Away(f"{self.name} does not answer ({type(error).__name__})") from None

    def json(self, answer: httpx.Response) -> Any:
        """What an answer holds, if it is a good one."""
        if not answer.is_success:
            raise Away(f"{self.name} answers {answer.request.url.path} with {answer.status_code}")
        try:
            return answer.json()
        except ValueError:
            raise Away(f"{self.name} answers {answer.request.url.path} with something else than JSON") from None


class Prometheus(Client):
    """Prometheus' query interface."""

    def __init__(self, url: str) -> None:
        super().__init__("prometheus", url)

    def now(self, query: str) -> list[tuple[Mapping[str, str], float]]:
        """The series of a query, with their values now."""
        result = self.get("/api/v1/query", query=query)["data"]["result"]
        return [(found["metric"], float(found["value"][1])) for found in result]

    def over(self, query: str, begin: float, end: float, step: float) -> list[tuple[Mapping[str, str], list[tuple[float, float]]]]:
        """The series of a query, with their values from `begin` to `end` (seconds since 1970)."""
        result = self.get("/api/v1/query_range", query=query, start=begin, end=end, step=step)["data"]["result"]
        return [(found["metric"], [(float(moment), float(value)) for moment, value in found["values"]]) for found in result]


class Airflow(Client):
    """Airflow, as a user who may look and start runs."""

    def __init__(self, url: str, user: str, password: str) -> None:
        super().__init__("airflow", url)
        self._user, self._password = user, password
        self._token: str | None = None
        self._lock = threading.Lock()

    def health(self) -> Mapping[str, Any]:
        """The health of its processes; needs no user."""
        found: Mapping[str, Any] = self.get("/api/v2/monitor/health")
        return found

    def runs(self, most: int) -> list[Mapping[str, Any]]:
        """The newest runs of all DAGs, the newest first."""
        answer = self._asked("GET", "/api/v2/dags/~/dagRuns", params={"limit": most, "order_by": "-run_after"})
        found: list[Mapping[str, Any]] = self.json(answer)["dag_runs"]
        return found

    def start(self, dag: str, run: str, conf: Mapping[str, Any], note: str) -> bool:
        """Starts a run of this id; returns False where there is one already."""
        body = {"dag_run_id": run, "logical_date": None, "conf": dict(conf), "note": note}
        answer = self._asked("POST", f"/api/v2/dags/{quote(dag, safe='')}/dagRuns", json=body)
        if answer.status_code == httpx.codes.CONFLICT:
            return False
        self.json(answer)
        return True

    def _asked(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer, with a token that is fetched when there is none or it has expired."""
        with self._lock:
            token = self._token or self._fetched()
            answer = self.send(method, path, headers={"Authorization": f"Bearer {token}"}, **more)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                answer = self.send(method, path, headers={"Authorization": f"Bearer {self._fetched()}"}, **more)
        return answer

    def _fetched(self) -> str:
        answer = self.json(self.send("POST", "/auth/token", json={"username": self._user, "password": self._password}))
        self._token = str(answer["access_token"])
        return self._token


def seconds_of(text: str | None) -> float | None:
    """A time of an answer, in seconds since 1970."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None
