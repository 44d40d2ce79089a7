"""A training because of drift: started while the alert is open, once in the cool-down time."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from applications.monitoring.model import retraining_run
from applications.monitoring.service.alerts import Alerts, kept
from applications.monitoring.service.clients import Airflow
from applications.monitoring.service.measuring import Found, Sample
from applications.monitoring.thresholds import thresholds
from applications.runtime.logs import log

ALERT = "ModelDrift"
DAG = "scheduled_retraining"


class Done(BaseModel):
    """What was started so far: how many runs, and the newest one (seconds since 1970)."""

    model_config = ConfigDict(frozen=True)

    started: int = 0
    last: float = 0.0
    run: str = ""


class Retraining:
    """Looks whether a training is called for. What was done is kept in `file`, so that a restart starts no second one."""

    def __init__(self, alerts: Alerts, airflow: Airflow, file: Path,
                 now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._alerts, self._airflow, self._file, self._now = alerts, airflow, file, now
        try:
            self._done = Done.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            self._done = Done()
        except ValidationError:
            # Airflow refuses a second run of the same id, so this costs no more than the count.
            log.warning("retrainings-unreadable", file=str(file))
            self._done = Done()

    def measure(self) -> Found:
        """Starts a training if the alert is open and the last one is long enough ago. Raises Away; it is tried again."""
        now, alert = self._now(), self._alerts.firing(ALERT)
        cool_down = timedelta(hours=thresholds().retraining.cool_down_hours).total_seconds()
        if alert is not None and now.timestamp() - self._done.last >= cool_down:
            self._start(now, alert.annotations.get("summary", ALERT))
        samples = (Sample("retraining_started_total", self._done.started),
                   Sample("retraining_last_timestamp_seconds", self._done.last))
        rests = self._done.last + cool_down if self._done.last else None
        return Found(samples, {**self._done.model_dump(), "rests_until": rests, "called_for": alert is not None})

    def _start(self, now: datetime, reason: str) -> None:
        run = retraining_run(now)
        new = self._airflow.start(DAG, run, {"reason": reason[:500]}, f"Started by monitoring-service because of {ALERT}")
        log.info("retraining", run=run, new=new)
        # One that is there already was started by model_monitoring or by us in a former life: the time rests all the same.
        self._done = Done(started=self._done.started + new, last=now.timestamp(), run=run)
        kept(self._file, json.dumps(self._done.model_dump()))
