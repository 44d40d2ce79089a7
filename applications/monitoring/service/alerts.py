"""Open alerts: what Alertmanager posts, kept in a file, and set right against its own list."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from applications.monitoring.service.clients import Client, seconds_of
from applications.monitoring.service.measuring import Found, Sample
from applications.runtime.logs import log

SEVERITIES = ("critical", "warning", "info")
UNKNOWN = "unknown"


class Alert(BaseModel):
    """An alert as Alertmanager writes it, in the webhook and in its own list."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    fingerprint: str = Field(max_length=64)
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = {}
    starts: str = Field(alias="startsAt", max_length=64)
    status: Any = "firing"

    @property
    def name(self) -> str:
        """Its rule."""
        return self.labels.get("alertname", UNKNOWN)

    @property
    def severity(self) -> str:
        """One of SEVERITIES; `unknown` for anything else."""
        found = self.labels.get("severity", "")
        return found if found in SEVERITIES else UNKNOWN

    def facts(self) -> dict[str, Any]:
        """As the page shows it. `runbook` is the anchor of its entry."""
        link = self.annotations.get("runbook_url") or self.annotations.get("runbook", "")
        labels = {name: value for name, value in self.labels.items() if name not in ("alertname", "severity")}
        return {"name": self.name, "severity": self.severity, "since": seconds_of(self.starts), "labels": labels,
                "summary": self.annotations.get("summary", self.name), "description": self.annotations.get("description", ""),
                "runbook": link.partition("#")[2] or self.name.lower()}


class Webhook(BaseModel):
    """What Alertmanager posts (version 4)."""

    version: Literal["4"]
    alerts: tuple[Alert, ...] = Field(max_length=10_000)


class Alerts:
    """The open alerts by fingerprint. Safe for threads; a restart finds them again in `file`."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        self._open: dict[str, Alert] = {}
        try:
            self._open = {found["fingerprint"]: Alert.model_validate(found) for found in json.loads(file.read_bytes())}
        except FileNotFoundError:
            pass
        except (ValueError, TypeError, KeyError, ValidationError):
            # Alertmanager repeats what is open, so nothing is lost with it for long.
            log.warning("alerts-unreadable", file=str(file))

    @property
    def open(self) -> list[Alert]:
        """The gravest first, then the newest."""
        with self._lock:
            found = list(self._open.values())
        newest_first = sorted(found, key=lambda alert: alert.starts, reverse=True)
        return sorted(newest_first, key=lambda alert: (*SEVERITIES, UNKNOWN).index(alert.severity))

    def firing(self, name: str) -> Alert | None:
        """An open alert of a rule."""
        return next((alert for alert in self.open if alert.name == name), None)

    def take(self, posted: Webhook) -> None:
        """Opens those that fire and closes those that are resolved."""
        with self._lock:
            for alert in posted.alerts:
                if alert.status == "firing":
                    self._open[alert.fingerprint] = alert
                elif self._open.pop(alert.fingerprint, None) is None:
                    continue
                log.info("alert", alert=alert.name, severity=alert.severity, status=str(alert.status))
            self._keep()

    def replace(self, alerts: Sequence[Alert]) -> None:
        """Makes these the open ones."""
        with self._lock:
            known, self._open = self._open, {alert.fingerprint: alert for alert in alerts}
            if known.keys() != self._open.keys():
                self._keep()

    def _keep(self) -> None:
        text = json.dumps([alert.model_dump(by_alias=True) | {"status": "firing"} for alert in self._open.values()])
        kept(self._file, text)


def kept(file: Path, text: str) -> None:
    """Writes a file so that a reader finds the old text or the new one, whenever the process ends."""
    part = file.with_name(f"{file.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


class AlertList:
    """Measures what is open. With Alertmanager's own list, what was resolved while we were away goes, too."""

    def __init__(self, alerts: Alerts, alertmanager: Client | None) -> None:
        self._alerts, self._alertmanager = alerts, alertmanager

    def measure(self) -> Found:
        """The number of open alerts by severity. Raises Away."""
        if self._alertmanager is not None:
            listed = self._alertmanager.get("/api/v2/alerts", active="true", silenced="false", inhibited="false")
            self._alerts.replace([Alert.model_validate(found) for found in listed])
        counts = Counter(alert.severity for alert in self._alerts.open)
        return Found(tuple(Sample("alerts_open", counts[severity], (severity,)) for severity in (*SEVERITIES, UNKNOWN)))
