"""Publishing to Kafka so that what was confirmed is stored on every replica, once."""

from __future__ import annotations

import base64
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from applications.clinical.models import DEAD_LETTER_TOPIC, DeadLetter
from applications.clinical.reasons import Reason
from applications.runtime.logs import log

CHECK_SECONDS = 3
DELIVERY_SECONDS = 30


def _say(error: KafkaError) -> None:
    # The client repeats every failed connection many times a second; that all brokers are gone it says once.
    if error.code() == KafkaError._ALL_BROKERS_DOWN:
        log.warning("kafka-away", error=error.str())


QUIET: dict[str, Any] = {"log_level": 2, "error_cb": _say}
"""Settings of every Kafka client of ours: its own log is left out, its errors come through ours."""


class PublishError(Exception):
    """A record that the broker did not confirm."""


@dataclass(frozen=True)
class Position:
    """Where a confirmed record stands."""

    topic: str
    partition: int
    offset: int


class Publisher:
    """A producer that answers each record with a future: its position once all replicas have it, or PublishError."""

    def __init__(self, bootstrap: str, client_id: str, *, linger_ms: float = 5, delivery_seconds: float = DELIVERY_SECONDS,
                 **configuration: Any) -> None:
        self._producer = Producer({
            "bootstrap.servers": bootstrap, "client.id": client_id, "enable.idempotence": True, "acks": "all",
            "compression.type": "lz4", "linger.ms": linger_ms, "delivery.timeout.ms": int(delivery_seconds * 1000),
            # The broker's own key hash, so that a patient has one partition whoever sends.
            "partitioner": "murmur2_random", **QUIET, **configuration})
        self._closing = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="kafka-publisher", daemon=True)
        self._poller.start()

    def publish(self, topic: str, key: str | bytes | None, value: bytes,
                headers: Sequence[tuple[str, bytes]] = ()) -> Future[Position]:
        """Sends one record. A full queue fails its future too: the broker is away, or slower than we are."""
        future: Future[Position] = Future()

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                future.set_exception(PublishError(f"{topic}: {error.str()}"))
            else:
                future.set_result(Position(topic, message.partition() or 0, message.offset() or 0))

        try:
            self._producer.produce(topic, key=key, value=value, headers=list(headers), on_delivery=delivered)
        except BufferError:
            future.set_exception(PublishError(f"{topic}: the queue of unsent records is full"))
        except KafkaException as error:  # larger than a record may be, say
            future.set_exception(PublishError(f"{topic}: {error.args[0].str()}"))
        return future

    def check(self) -> str | None:
        """None when a broker answers now, else what is wrong."""
        try:
            metadata = self._producer.list_topics(timeout=CHECK_SECONDS)
        except KafkaException as error:
            return f"Kafka does not answer: {error.args[0].str()}"
        return None if metadata.brokers else "Kafka has no broker"

    def flush(self, seconds: float) -> int:
        """Waits for what was sent; returns how many records are still unconfirmed."""
        return int(self._producer.flush(seconds))

    def close(self, seconds: float = 10) -> int:
        """Flushes and ends the polling thread; returns how many records were never confirmed."""
        left = self.flush(seconds)
        self._closing.set()
        self._poller.join(timeout=2)
        return left

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(0.2)


def dead_letter(publisher: Publisher, service: str, reasons: Sequence[Reason], raw: bytes, *, topic: str | None = None,
                partition: int | None = None, offset: int | None = None, key: bytes | None = None,
                source: str | None = None) -> Future[Position]:
    """Sends what could not be read to the dead-letter topic, keyed by where it came from (`source`, else its topic)."""
    letter = DeadLetter(
        reason=reasons[0].code, reasons=[reason.as_dict() for reason in reasons], service=service, source_topic=topic,
        source_partition=partition, source_offset=offset, key=key.decode(errors="replace") if key else None,
        raw=base64.b64encode(raw).decode(), recorded_time=datetime.now(UTC))
    return publisher.publish(DEAD_LETTER_TOPIC, source or topic or service, letter.model_dump_json().encode())
