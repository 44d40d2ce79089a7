"""When the service trains by itself: while there is no champion, and the labels suffice for one."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from applications.jobs.schedule import Due
from applications.jobs.store import OVER, Status, Store
from applications.ml.model.registry import Version
from applications.ml.training.data import LabelState
from applications.ml.training.settings import TrainingSettings
from applications.runtime.logs import log

GROWTH = 1.1
REFUSED_SECONDS, FAILED_SECONDS = 600.0, 120.0
"""After a training that left no champion: by how much the labels must have grown for another, or else how long to wait, when its
model was refused or when it failed on the way."""

LEAST_WITH_VITALS = 0.5
"""Each event type comes to silver at its own pace. A history whose adverse events are there and whose vital signs are not
teaches a model that deterioration shows in nothing."""


class Bootstrap:
    """The schedule of ml-training. `champion` and `labels` look into MLflow and the lake; what they raise goes to the caller."""

    def __init__(self, settings: TrainingSettings, champion: Callable[[], Version | None],
                 labels: Callable[[], LabelState | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._champion, self._labels, self._clock = settings, champion, labels, clock
        self._next = clock()
        self._tried: tuple[int, float] | None = None
        self._said = ""

    def __call__(self, store: Store) -> Due | None:
        """A training if one is due; looks every `bootstrap_seconds` at most, never when that is 0."""
        now = self._clock()
        if not self._settings.bootstrap_seconds or now < self._next:
            return None
        self._next = now + self._settings.bootstrap_seconds
        latest = store.latest(kind="train", limit=1)
        if latest and latest[0].status not in OVER:
            return None
        failed = bool(latest) and latest[0].status is not Status.SUCCEEDED
        waiting = self._waiting(now, FAILED_SECONDS if failed else REFUSED_SECONDS)
        if waiting != self._said:
            self._said = waiting
            log.info("bootstrap", waiting_for=waiting or "nothing, it trains")
        return None if waiting else Due("train")

    def _waiting(self, now: float, rest: float) -> str:
        """What is missing for a training; empty when nothing is, which counts as an attempt."""
        if self._champion() is not None:
            return "nothing, there is a champion"
        labels, settings = self._labels(), self._settings
        if labels is None or labels.positives < settings.min_positives:
            return f"{settings.min_positives} positive labels"
        if datetime.now(UTC) - labels.newest > timedelta(hours=settings.freshest_hours):
            return f"labels of the last {settings.freshest_hours:g} hours, the history is still on its way"
        if labels.with_vitals < LEAST_WITH_VITALS:
            return "vital signs of the labelled patients, the history is still on its way"
        if self._tried and labels.rows < GROWTH * self._tried[0] and now - self._tried[1] < rest:
            return f"more labels or {rest / 60:g} minutes to pass, the last training left no champion"
        self._tried = (labels.rows, now)
        return ""
