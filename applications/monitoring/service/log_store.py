"""Logs: the newest errors for the page, how new and how old the store's lines are, and their retention."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from applications.monitoring import logs
from applications.monitoring.logs import LogLine, LogStoreError
from applications.monitoring.service.clients import Away
from applications.monitoring.service.measuring import Found, Sample

ERRORS = 40
LONGEST_MESSAGE = 400


class LogStore:
    """The log store of a stack."""

    def __init__(self, url: str, stack: str, days: int) -> None:
        self._url, self._stack, self._days = url.rstrip("/"), stack, days
        self._prepared = False

    def measure(self) -> Found:
        """The newest errors, and the times of the newest and the oldest line. Raises Away."""
        try:
            newest, oldest = logs.newest(self._url, self._stack), logs.oldest_day(self._url, self._stack)
            errors = logs.search(self._url, self._stack, size=ERRORS)
        except LogStoreError as error:
            raise Away(str(error)) from None
        samples = [] if newest is None else [Sample("logs_newest_timestamp_seconds", newest.timestamp())]
        if oldest is not None:
            samples.append(Sample("logs_oldest_timestamp_seconds", datetime.combine(oldest, time(), UTC).timestamp()))
        return Found(samples, {"errors": [_facts(line) for line in errors]})

    def tidy(self) -> Found:
        """Sees to the index template, once, and removes what is older than it may be. Raises Away."""
        try:
            if not self._prepared:
                logs.ensure_template(self._url, self._stack)
                self._prepared = True
            return Found((), {"removed": logs.prune(self._url, self._stack, self._days)})
        except LogStoreError as error:
            raise Away(str(error)) from None


def _facts(line: LogLine) -> dict[str, Any]:
    return {"time": line.time.timestamp(), "service": line.service, "layer": line.layer, "level": line.level, "event": line.event,
            "message": line.message[:LONGEST_MESSAGE]}
