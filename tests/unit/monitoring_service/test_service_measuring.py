"""Measuring: failures end nothing, stale numbers are withheld, and every metric is one that is declared."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import generate_latest
from prometheus_client.registry import CollectorRegistry

from applications.monitoring.lake import LakeError
from applications.monitoring.service.clients import Away
from applications.monitoring.service.measuring import HANGING_SECONDS, STALE_PERIODS, Found, Measurement, Published, Sample
from applications.monitoring.service.metrics import MEASURED

SECONDS = 60.0


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100_000.0

    def __call__(self) -> float:
        return self.now


def text(*measurements: Measurement) -> str:
    """What Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(Published(measurements))
    return generate_latest(registry).decode()


def test_a_failure_is_counted_and_what_was_found_before_stays() -> None:
    """One missed answer makes no gap; the error is shown until the next success."""
    first = Found((Sample("service_up", 1, ("minio", "infrastructure")),), "facts")
    answers: list[Found | Exception] = [first, Away("MinIO is away"), Found((), "new")]

    def measure() -> Found:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    measurement = Measurement("services", SECONDS, measure)
    measurement.once()
    measurement.once()
    assert (measurement.failures, measurement.error, measurement.facts) == (1, "MinIO is away", "facts")
    assert 'service_up{layer="infrastructure",service="minio"} 1.0' in text(measurement)
    assert 'monitoring_failures_total{measurement="services"} 1.0' in text(measurement)
    measurement.once()
    assert (measurement.failures, measurement.error, measurement.facts) == (1, None, "new")


def test_what_is_too_old_is_withheld() -> None:
    """Else a number of yesterday would look as true as one of now. The time of the last success tells that nothing succeeds."""
    clock = Clock()
    measurement = Measurement("lake", SECONDS, lambda: Found((Sample("lake_table_rows", 5, ("silver/x",)),), "facts"), clock)
    measurement.once()
    began = clock.now
    clock.now = began + STALE_PERIODS * SECONDS
    assert measurement.facts == "facts"
    clock.now += 1
    assert measurement.facts is None and measurement.report()["stale"]
    assert "lake_table_rows" not in text(measurement)
    assert f'monitoring_last_success_timestamp_seconds{{measurement="lake"}} {began:.1f}' in text(measurement)


@pytest.mark.parametrize(("error", "words"), [
    (ValueError("patient PT00000001"), "ValueError"), (Away("Kafka does not answer"), "Kafka does not answer"),
    (LakeError("silver/labs cannot be read: could not convert 'PT00000001' in 3.2 s. Is the object store up?"),
     "silver/labs cannot be read: is the object store up, and may this service read it?")])
def test_no_error_quotes_what_was_read(error: Exception, words: str) -> None:
    """Libraries put values into theirs."""
    def measure() -> Found:
        raise error

    measurement = Measurement("lake", SECONDS, measure)
    measurement.once()
    assert measurement.error == words


def test_a_measurement_goes_on_after_failures_until_it_is_stopped() -> None:
    """The thread of a measurement never ends by itself."""
    stop, rounds = threading.Event(), 0

    def measure() -> Found:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            stop.set()
        raise OSError

    Measurement("kafka", 0.001, measure).forever(stop)
    assert rounds == 3


def test_a_measurement_that_hangs_is_unhealthy() -> None:
    """Docker then starts the service again."""
    clock = Clock()
    said: list[str | None] = []

    def measure() -> Found:
        said.append(measurement.check())
        clock.now += HANGING_SECONDS + 1
        said.append(measurement.check())
        return Found()

    measurement = Measurement("drift", SECONDS, measure, clock)
    measurement.once()
    assert said == [None, f"drift has not ended for {HANGING_SECONDS + 1:.0f} s"] and measurement.check() is None


@pytest.mark.parametrize("name", sorted(MEASURED))
def test_each_metric_has_the_name_that_it_is_read_by(name: str) -> None:
    """A counter's family adds `_total`; nothing else may be added."""
    help_text, labels = MEASURED[name]
    measurement = Measurement("x", SECONDS, lambda: Found((Sample(name, 7, tuple("x" for _ in labels)),)))
    measurement.once()
    lines = [line for line in text(measurement).splitlines() if line.startswith(name)]
    assert help_text and any(line.endswith(" 7.0") for line in lines)
    kind = "counter" if name.endswith("_total") else "gauge"
    assert f"# TYPE {name} {kind}" in text(measurement)
