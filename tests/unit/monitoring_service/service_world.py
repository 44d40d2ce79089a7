"""What tests of monitoring-service share: a small platform, alerts, and measurements that find what they are told."""

from __future__ import annotations

from typing import Any

from applications.monitoring.service.measuring import Found, Measurement
from applications.monitoring.service.platform import Platform

KEY = "a-bearer-of-alertmanager"
PLATFORM = Platform.model_validate({
    "project": "clinical-mlops", "stack": "test",
    "layers": [{"name": "infrastructure", "needs": [], "state": "running"},
               {"name": "ingestion", "needs": ["infrastructure"], "state": "running"},
               {"name": "ml", "needs": ["infrastructure", "ingestion"], "state": "stopped"}],
    "services": [{"name": "minio", "layer": "infrastructure", "host": "minio", "port": 9000, "metrics": "/metrics"},
                 {"name": "quiet", "layer": "infrastructure", "host": "quiet", "port": None, "metrics": None},
                 {"name": "kafka-consumer", "layer": "ingestion", "host": "kafka-consumer", "port": 8080, "metrics": "/metrics"},
                 {"name": "model-serving", "layer": "ml", "host": "model-serving", "port": 8080, "metrics": "/metrics"}],
    "links": {"minio-console": "http://127.0.0.1:9001"}})


def posted(*alerts: dict[str, Any]) -> dict[str, Any]:
    """What Alertmanager posts."""
    return {"version": "4", "status": "firing", "receiver": "monitoring-service", "groupLabels": {}, "alerts": list(alerts)}


def alert(name: str, fingerprint: str, *, status: str = "firing", severity: str = "warning",
          starts: str = "2026-11-26T10:00:00.000Z", **labels: str) -> dict[str, Any]:
    """An alert of such a message."""
    return {"status": status, "fingerprint": fingerprint, "startsAt": starts, "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
            "labels": {"alertname": name, "severity": severity, **labels},
            "annotations": {"summary": f"{name} fires", "description": "Look.", "runbook_url": f"docs/runbook.md#{name.lower()}"}}


def measured(name: str, facts: Any) -> Measurement:
    """A measurement that has found these facts."""
    measurement = Measurement(name, 10, lambda: Found((), facts))
    measurement.once()
    return measurement


def values(found: Found) -> dict[tuple[str, ...], float]:
    """The samples that were found, by name and labels."""
    return {(sample.name, *sample.labels): sample.value for sample in found.samples}
