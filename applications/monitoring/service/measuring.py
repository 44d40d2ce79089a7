"""Measurements: each in a thread of its own, for ever; what the last one found, for Prometheus and for the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from applications.monitoring.lake import LakeError
from applications.monitoring.service.clients import Away
from applications.monitoring.service.metrics import MEASURED
from applications.runtime.logs import log

STALE_PERIODS = 5
LEAST_STALE_SECONDS = 30.0
"""What was measured is withheld once it is older than so many periods: a stale number looks as true as a new one."""
HANGING_SECONDS = 900.0


@dataclass(frozen=True)
class Sample:
    """One value of a metric of MEASURED; `labels` in the order that is written there."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """What one measurement found: samples for Prometheus, and facts (as JSON has them) for the page."""

    samples: Sequence[Sample] = ()
    facts: Any = None


@dataclass
class Measurement:
    """Something that is measured every so many seconds by `measure`. Its failures are counted, logged once in a row, and shown."""

    name: str
    seconds: float
    measure: Callable[[], Found]
    clock: Callable[[], float] = time.time
    failures: int = 0
    error: str | None = None
    last_success: float | None = None
    took: float = 0.0
    _begun: float | None = None
    _found: Found = field(default_factory=Found)

    def once(self) -> None:
        """Measures now."""
        self._begun = began = self.clock()
        try:
            self._found = self.measure()
            self.last_success = self.clock()
            if self.error is not None:
                log.info("measuring-again", measurement=self.name)
            self.error = None
        except Exception as error:  # whatever is away or broken must not end the measuring
            self.failures += 1
            words = words_of(error)
            if words != self.error:
                log.warning("measuring-failed", measurement=self.name, error=words)
            self.error = words
        self.took, self._begun = self.clock() - began, None

    def forever(self, stop: threading.Event) -> None:
        """Measures until asked to stop."""
        while not stop.is_set():
            self.once()
            stop.wait(max(0.5, self.seconds - self.took))

    @property
    def found(self) -> Found | None:
        """What was found last; None when that is too old to be believed."""
        oldest = max(LEAST_STALE_SECONDS, STALE_PERIODS * self.seconds)
        return self._found if self.last_success is not None and self.clock() - self.last_success <= oldest else None

    @property
    def facts(self) -> Any:
        """The facts of what was found last; None when that is too old."""
        return None if self.found is None else self.found.facts

    def check(self) -> str | None:
        """None while the thread goes on; else for how long it has hung."""
        hanging = 0.0 if self._begun is None else self.clock() - self._begun
        return f"{self.name} has not ended for {hanging:.0f} s" if hanging > HANGING_SECONDS else None

    def report(self) -> dict[str, Any]:
        """How it goes, as the page shows it."""
        return {"name": self.name, "last": self.last_success, "error": self.error, "stale": self.found is None}


class Published:
    """All measurements as Prometheus reads them; a collector of prometheus_client."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self._measurements = measurements

    def collect(self) -> Iterator[Metric]:
        """Each metric that was found, complete."""
        families: dict[str, Metric] = {}
        for sample in [*self._own(), *(sample for each in self._measurements if each.found for sample in each.found.samples)]:
            if sample.name not in families:
                what, labels = MEASURED[sample.name]
                # The counter's family adds `_total` to its samples by itself.
                kind = CounterMetricFamily if sample.name.endswith("_total") else GaugeMetricFamily
                families[sample.name] = kind(sample.name.removesuffix("_total"), what, labels=labels)
            families[sample.name].add_metric(sample.labels, sample.value)  # type: ignore[attr-defined]
        yield from families.values()

    def _own(self) -> Iterator[Sample]:
        for each in self._measurements:
            yield Sample("monitoring_failures_total", each.failures, (each.name,))
            yield Sample("monitoring_seconds", each.took, (each.name,))
            yield Sample("monitoring_last_success_timestamp_seconds", each.last_success or 0, (each.name,))


def words_of(error: Exception) -> str:
    """What is told of an error: words that are made for whoever runs the platform, and nothing that may quote what was read."""
    if isinstance(error, Away):
        return str(error)
    if isinstance(error, LakeError):
        # Behind the colon come the words of a library, other ones each time.
        return f"{str(error).partition(':')[0]}: is the object store up, and may this service read it?"
    return type(error).__name__
