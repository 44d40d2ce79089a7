"""Sending to Kafka so that nothing is lost while the broker is away: what it has not confirmed is kept and sent again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from applications.clinical.simulation import Message
from applications.ingestion.producer import metrics
from applications.runtime.kafka import QUIET
from applications.runtime.logs import log

QUEUE_MESSAGES = 20_000
"""How many unconfirmed messages are held (some 20 MB) before the sender waits."""
FULL_WAIT_SECONDS = 0.1
AGAIN_SECONDS = 1.0
"""Pause after a failed delivery, before what failed is sent again."""
CHECK_SECONDS = 3


def configuration(bootstrap: str, client_id: str) -> dict[str, Any]:
    """How the Kafka client is set up: idempotent, confirmed by every replica, in batches, and patient without limit."""
    return {
        "bootstrap.servers": bootstrap, "client.id": client_id, "enable.idempotence": True, "acks": "all",
        "compression.type": "lz4", "linger.ms": 20, "queue.buffering.max.messages": QUEUE_MESSAGES,
        # A message never expires: it waits for the broker.
        "message.timeout.ms": 0, "reconnect.backoff.max.ms": 2000,
        # The broker's own key hash, so that a patient has one partition whoever sends.
        "partitioner": "murmur2_random", **QUIET}


class Sender:
    """One Kafka producer for one thread. `confirmed` is called, in `poll` and `flush`, for each message that is stored."""

    def __init__(self, bootstrap: str, client_id: str, confirmed: Callable[[Message], None],
                 make: Callable[[dict[str, Any]], Any] = Producer) -> None:
        self._configuration = configuration(bootstrap, client_id)
        self._confirmed = confirmed
        self._make = make
        self._producer = make(self._configuration)
        self._pending: dict[int, float] = {}
        self._number = 0
        self._again: deque[tuple[int, Message]] = deque()
        self._again_at = 0.0
        self._broken = False

    @property
    def unconfirmed(self) -> int:
        """How many messages were taken by `send` and are not confirmed."""
        return len(self._pending)

    @property
    def oldest(self) -> float | None:
        """When (seconds since 1970) the longest waiting of them was sent."""
        return next(iter(self._pending.values()), None)

    def send(self, message: Message) -> bool:
        """Takes a message; False, after a moment, when so many are unconfirmed that this one has to wait."""
        if len(self._pending) >= QUEUE_MESSAGES:
            self.poll(FULL_WAIT_SECONDS)
            if len(self._pending) >= QUEUE_MESSAGES:
                return False
        self._number += 1
        self._pending[self._number] = time.time()
        metrics.SENT.labels(message.topic).inc()
        self._produce(self._number, message)
        return True

    def poll(self, seconds: float) -> None:
        """Handles confirmations for at most so long, and sends again what failed."""
        self._producer.poll(seconds)
        if self._broken:
            self._renew()
        if self._again and time.monotonic() >= self._again_at:
            waiting, self._again = self._again, deque()
            for number, message in waiting:
                self._produce(number, message)

    def flush(self, seconds: float) -> int:
        """Waits until all is confirmed, at most so long; returns how many are not."""
        end = time.monotonic() + seconds
        while self._pending and (left := end - time.monotonic()) > 0:
            if self._again or self._broken:
                self.poll(min(left, FULL_WAIT_SECONDS))
            else:
                self._producer.flush(min(left, AGAIN_SECONDS))
        return len(self._pending)

    def check(self) -> str | None:
        """None when a broker answers now, else what is wrong."""
        try:
            found = self._producer.list_topics(timeout=CHECK_SECONDS)
        except KafkaException as error:
            return f"Kafka does not answer: {error.args[0].str()}"
        return None if found.brokers else "Kafka has no broker"

    def _produce(self, number: int, message: Message) -> None:
        try:
            self._producer.produce(message.topic, message.value, message.key, on_delivery=partial(self._delivered, number, message))
        except BufferError:
            self._keep(number, message)
        except KafkaException as error:
            self._failed(number, message, error.args[0])

    def _delivered(self, number: int, message: Message, error: KafkaError | None, _: object) -> None:
        if error is not None:
            self._failed(number, message, error)
            return
        del self._pending[number]
        metrics.CONFIRMED.labels(message.topic).inc()
        self._confirmed(message)

    def _failed(self, number: int, message: Message, error: KafkaError) -> None:
        metrics.FAILED.labels(message.topic).inc()
        if error.fatal() and not self._broken:
            self._broken = True
            log.error("kafka-client-broken", error=error.str())
        elif not self._again:
            log.warning("delivery-failed", topic=message.topic, error=error.str())
        self._keep(number, message)

    def _keep(self, number: int, message: Message) -> None:
        if not self._again:
            self._again_at = time.monotonic() + AGAIN_SECONDS
        self._again.append((number, message))

    def _renew(self) -> None:
        """After a fatal error a producer is of no more use: its messages come back to us and go to a new one."""
        self._producer.purge()
        self._producer.flush(AGAIN_SECONDS)
        self._producer = self._make(self._configuration)
        self._broken = False
