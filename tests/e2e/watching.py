"""Prometheus and the monitoring service of a stack, as whoever is on call asks them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.e2e.stack import Stack
from tests.unit.observability.alert_rules import asked

SECONDS = 30
OF_LATER = {"model_prediction_psi"}
"""Compares with the predictions of earlier days, of which a new stack has none."""


class Watching:
    """A client of both."""

    def __init__(self, stack: Stack) -> None:
        self.prometheus = httpx.Client(base_url=f"http://127.0.0.1:{stack.port('prometheus')}/api/v1", timeout=SECONDS)
        self.room = httpx.Client(base_url=f"http://127.0.0.1:{stack.port('monitoring-service')}", timeout=SECONDS)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        answer = self.prometheus.get("/query", params={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def value(self, expression: str) -> float | None:
        """The one value of a query; None while there is none."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None

    def targets(self) -> dict[str, str]:
        """What each scraped service is: `up`, or the words of the last error."""
        found = self.prometheus.get("/targets", params={"state": "active"}).json()["data"]["activeTargets"]
        return {target["labels"]["service"]: "up" if target["health"] == "up" else f"{target['health']}: {target['lastError']}"
                for target in found}

    def metrics(self) -> set[str]:
        """The names of all metrics that there are."""
        return set(self.prometheus.get("/label/__name__/values").json()["data"])

    def missing(self) -> list[str]:
        """The metrics of rules that there are not. A counter that never counted is known by its description alone."""
        there, known = self.metrics(), set(self.prometheus.get("/metadata").json()["data"])
        return [name for name in sorted(asked()) if name not in there
                and not known & {name, *(name.removesuffix(suffix) for suffix in ("_total", "_bucket", "_count"))}]

    def firing(self, alert: str, **labels: str) -> bool:
        """Whether an alert fires."""
        return any(found["labels"]["alertname"] == alert and found["state"] == "firing"
                   and labels.items() <= found["labels"].items()
                   for found in self.prometheus.get("/alerts").json()["data"]["alerts"])

    def told(self, alert: str) -> bool:
        """Whether the monitoring service knows of the alert."""
        return alert in {found["name"] for found in self.state()["alerts"]}

    def state(self) -> dict[str, Any]:
        """What the control room shows."""
        answer = self.room.get("/api/state")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found
