"""Metrics of the laboratory processor. Labels are of small fixed sets: nothing of a message's content becomes one."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter("labs_messages", "Messages by what became of them", ["queue", "outcome"])
ALERTS = Counter("labs_alerts", "Alerts raised, by the critical flag", ["flag"])
DEAD_LETTERS = Counter("labs_dead_letters", "Messages sent to the dead-letter topic, by their first reason", ["reason"])
LATENCY = Histogram("labs_latency_seconds", "Time from an event's recorded_time until Kafka has it", ["queue"],
                    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600))
UNACKNOWLEDGED = Gauge("labs_unacknowledged", "Messages in hand, not acknowledged yet", ["queue"])
RETRYING = Gauge("labs_retrying", "Messages in hand that Kafka has refused or not confirmed, to be sent again")
AVAILABLE = Gauge("labs_available", "Whether what the processor needs can be used now", ["need"])
