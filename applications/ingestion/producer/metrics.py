"""Metrics of kafka-producer."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

SENT = Counter("producer_sent", "Messages handed to the Kafka client", ["topic"])
CONFIRMED = Counter("producer_confirmed", "Messages that every replica has", ["topic"])
FAILED = Counter("producer_failed", "Deliveries that failed; each message is sent again", ["topic"])
INJECTED = Counter("producer_injected", "Faults injected into messages", ["kind"])
UNCONFIRMED = Gauge("producer_unconfirmed", "Messages sent and not confirmed yet")
TARGET_RATE = Gauge("producer_target_rate", "Messages a second that are asked for; 0 is as many as are taken")
RATE = Gauge("producer_rate", "Messages a second that were confirmed over the last half minute")
HISTORY_DONE = Gauge("producer_history_done", "Whether the back-dated history has been sent")
