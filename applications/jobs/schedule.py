"""Jobs that an endpoint submits by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from applications.jobs.kinds import Kinds
from applications.jobs.runner import Runner
from applications.jobs.store import OVER, Store
from applications.runtime.logs import log

LOOK_SECONDS = 1.0
REST_SHARE = 2.0


@dataclass(frozen=True)
class Due:
    """A job that is due now."""

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


Schedule = Callable[[Store], Due | None]
"""Looks at the jobs that there are and says what is due; asked about once a second, in a thread of its own, so it may take
its time. What it raises is logged, and it is asked again."""


def _now() -> datetime:
    return datetime.now(UTC)


def repeated(kind: str, seconds: float, now: Callable[[], datetime] = _now) -> Schedule:
    """The same job again and again: `seconds` after the last one ended, whoever submitted it, and not before twice as
    long as that one ran has passed, so that it never works more than a third of the time. 0 is never.
    """
    def due(store: Store) -> Due | None:
        latest = store.latest(kind=kind, limit=1)
        if not seconds:
            return None
        if not latest:
            return Due(kind)
        last = latest[0]
        if last.status not in OVER:
            return None
        end = _moment(last.finished or last.submitted)
        ran = end - _moment(last.started) if last.started else timedelta()
        return Due(kind) if now() - end >= max(timedelta(seconds=seconds), REST_SHARE * ran) else None
    return due


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


class Scheduler:
    """Submits what its schedule says, until it is stopped."""

    def __init__(self, schedule: Schedule, store: Store, runner: Runner, kinds: Kinds, look_seconds: float = LOOK_SECONDS) -> None:
        self._schedule, self._store, self._runner, self._kinds = schedule, store, runner, kinds
        self._look_seconds = look_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="scheduler", daemon=True)
        self._fault = ""

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Submits nothing more; waits a little for a look that is under way."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def look(self) -> None:
        """Submits what is due now."""
        try:
            due = self._schedule(self._store)
            if due is not None and not self._stopping.is_set():
                parameters = self._kinds[due.kind].parameters.model_validate(due.parameters).model_dump(mode="json", by_alias=True)
                job, _ = self._store.add(due.kind, parameters)
                log.info("job-scheduled", job=job.id, kind=job.kind)
                self._runner.wake()
            self._fault = ""
        except Exception as error:  # whatever it is, the next look may find it gone
            fault = f"{type(error).__name__}: {error}"
            if fault != self._fault:
                log.error("schedule-failed", error=fault)
            self._fault = fault

    def _work(self) -> None:
        while not self._stopping.wait(self._look_seconds):
            self.look()
