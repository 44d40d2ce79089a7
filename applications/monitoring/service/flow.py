"""How many events a second pass each stage, over the last minutes, from Prometheus; and which targets it cannot reach."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from applications.clinical.models import INGRESS
from applications.monitoring.service.clients import Prometheus
from applications.monitoring.service.measuring import Found

MINUTES, STEP_SECONDS = 20, 30
_TOPICS = "|".join(map(str, INGRESS))
STAGES: Mapping[str, str] = {
    "senders": 'sum(rate({__name__=~"generator_sent_total|producer_sent_total"}[2m]))',
    "gateway": "sum(rate(gateway_events_accepted_total[2m]))",
    "kafka": f'sum(rate(kafka_topic_end_offset_total{{topic=~"{_TOPICS}"}}[2m]))',
    "bronze": "sum(rate(consumer_records_total[2m]))",
    "silver": 'sum(rate(streaming_rows_total{outcome="accepted"}[2m]))',
    # These two are written by jobs, a day or a cut-off at a time: their growth over a longer while says more.
    "gold": 'sum(clamp_min(deriv(lake_table_rows{table="gold/patient-day"}[1h]), 0))',
    "features": 'sum(clamp_min(deriv(lake_table_rows{table="gold/features/patient"}[1h]), 0))',
    "predictions": "sum(rate(serving_predictions_total[2m]))",
}
"""The stages in the order in which an event passes them."""
QUERY = " or ".join(f'label_replace({query}, "stage", "{stage}", "", "")' for stage, query in STAGES.items())


class Flow:
    """Asks Prometheus."""

    def __init__(self, prometheus: Prometheus, clock: Callable[[], float] = time.time) -> None:
        self._prometheus, self._clock = prometheus, clock

    def measure(self) -> Found:
        """The rate of each stage, now and of the last minutes, and the services whose metrics cannot be read. Raises Away."""
        end = self._clock() // STEP_SECONDS * STEP_SECONDS
        series = self._prometheus.over(QUERY, end - MINUTES * 60, end, STEP_SECONDS)
        found: dict[str, list[tuple[float, float]]] = {labels.get("stage", ""): values for labels, values in series}
        now = {labels.get("stage", ""): value for labels, value in self._prometheus.now(QUERY)}
        stages: list[dict[str, Any]] = [
            {"name": stage, "rate": _number(now.get(stage)),
             "history": [[moment, _number(value)] for moment, value in found.get(stage, [])]} for stage in STAGES]
        silent = {labels["service"] for labels, value in self._prometheus.now("up == 0") if "service" in labels}
        return Found((), {"stages": stages, "silent": sorted(silent)})


def _number(value: float | None) -> float | None:
    """JSON has no NaN."""
    return None if value is None or value != value else round(value, 3)
