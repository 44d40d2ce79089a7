"""Metrics of clinical-data-generator."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

SENT = Counter("generator_sent", "Events handed to be sent, by form", ["form"])
ANSWERS = Counter("generator_answers", "Answers by form and HTTP status, or acknowledgement code by MLLP",
                  ["form", "status"])
CONFIRMED = Counter("generator_confirmed", "Events taken by the gateway, by form", ["form"])
REFUSED = Counter("generator_refused", "Events refused by the gateway for good, by form", ["form"])
RETRIES = Counter("generator_retries", "Bodies sent again, by what stood in their way", ["reason"])
INJECTED = Counter("generator_injected", "Faults injected into messages", ["kind"])
UNANSWERED = Gauge("generator_unanswered", "Events without a final answer yet")
TARGET_RATE = Gauge("generator_target_rate", "Events a second that are asked for; 0 is as many as are taken")
RATE = Gauge("generator_rate", "Events a second that were answered over the last half minute")
