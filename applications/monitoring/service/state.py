"""Everything that the control room shows, as one JSON document."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from applications.monitoring.service.alerts import Alerts
from applications.monitoring.service.measuring import Measurement
from applications.monitoring.service.platform import LayerPart, Platform, ServicePart

KEPT_SECONDS = 1.0
"""A document serves all who ask within this time."""
UP, DOWN, SILENT, UNKNOWN, STOPPED = "up", "down", "silent", "unknown", "stopped"
"""`silent`: the port is open, but Prometheus gets no metrics. `stopped`: its layer is switched off, nobody misses it."""


class State:
    """Puts together what the measurements found. Safe for threads."""

    def __init__(self, platform: Platform, measurements: Sequence[Measurement], alerts: Alerts,
                 clock: Callable[[], float] = time.time) -> None:
        self._platform, self._measurements, self._alerts, self._clock = platform, measurements, alerts, clock
        self._by_name = {measurement.name: measurement for measurement in measurements}
        self._since: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self._kept: tuple[float, bytes] = (float("-inf"), b"")

    def json(self) -> bytes:
        """The document; the same one for all who ask within a second."""
        with self._lock:
            made, document = self._kept
            if not 0 <= self._clock() - made < KEPT_SECONDS:
                made, document = self._clock(), orjson.dumps(self.document())
                self._kept = (made, document)
            return document

    def document(self) -> dict[str, Any]:
        """The document anew. A part that was not measured, or not lately, is null."""
        lake, kafka, flow = self._facts("lake"), self._facts("kafka"), self._facts("flow")
        workflows, logs = self._facts("airflow"), self._facts("logs")
        return {
            "time": self._clock(), "project": self._platform.project, "stack": self._platform.stack,
            "links": dict(self._platform.links), "layers": self._layers(flow),
            "stages": None if flow is None else flow["stages"],
            "topics": None if kafka is None else kafka["topics"], "groups": None if kafka is None else kafka["groups"],
            "tables": None if lake is None else lake["tables"], "quarantine": None if lake is None else lake["quarantine"],
            "champion": self._facts("champion"), "drift": self._facts("drift"), "predictions": self._facts("predictions"),
            "retraining": self._facts("retraining"), "dags": None if workflows is None else workflows["dags"],
            "alerts": [alert.facts() for alert in self._alerts.open], "errors": None if logs is None else logs["errors"],
            "measurements": [measurement.report() for measurement in self._measurements]}

    def _facts(self, name: str) -> Any:
        measurement = self._by_name.get(name)
        return None if measurement is None else measurement.facts

    def _layers(self, flow: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        alive, silent = self._facts("services"), frozenset(() if flow is None else flow["silent"])
        found = []
        for layer in self._platform.layers:
            services = [self._service(layer, service, alive, silent) for service in self._platform.services
                        if service.layer == layer.name]
            found.append({"name": layer.name, "needs": list(layer.needs), "state": layer.state, "services": services})
        return found

    def _service(self, layer: LayerPart, service: ServicePart, alive: Mapping[str, bool] | None,
                 silent: frozenset[str]) -> dict[str, Any]:
        up = None if alive is None else alive.get(service.name)
        state = (STOPPED if layer.state != "running" else UNKNOWN if up is None else DOWN if not up
                 else SILENT if service.name in silent else UP)
        before, since = self._since.get(service.name, ("", 0.0))
        if state != before:
            # Since when it was so before this service began is not known.
            since = self._clock() if before else 0.0
            self._since[service.name] = (state, since)
        links = self._platform.links
        return {"name": service.name, "state": state, "since": since or None,
                "link": links.get(service.name) or links.get(f"{service.name}-console")}
