"""A Kafka client that keeps records in a list, and can be away, break for good, or fail a delivery."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from confluent_kafka import KafkaError, KafkaException

Report = Callable[[KafkaError | None, object], None]


class Broker:
    """What its clients share: the stored records, and whether it is there."""

    def __init__(self) -> None:
        self.records: list[tuple[str, str, bytes]] = []
        self.up = True
        self.fatal = False
        self.failing = 0
        """So many deliveries fail next."""
        self.clients: list[Client] = []

    def client(self, _: dict[str, Any]) -> Client:
        """A new client; it is not broken, whatever the one before was."""
        self.fatal = False
        self.clients.append(Client(self))
        return self.clients[-1]


class Client:
    """The part of confluent_kafka.Producer that the producer uses."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._queue: list[tuple[str, str, bytes, Report]] = []
        self._purged = False

    def produce(self, topic: str, value: bytes, key: str, on_delivery: Report) -> None:
        """Queues a record."""
        if self._broker.fatal:
            raise KafkaException(KafkaError(KafkaError._FATAL, "sequence lost", True))
        self._queue.append((topic, key, value, on_delivery))

    def poll(self, seconds: float) -> int:
        """Delivers what is queued, if the broker is there; else waits as a real one does."""
        if not (self._broker.up or self._purged):
            time.sleep(min(seconds, 0.002))
            return 0
        queue, self._queue = self._queue, []
        for topic, key, value, report in queue:
            if self._purged:
                report(KafkaError(KafkaError._PURGE_INFLIGHT), None)
            elif self._broker.failing:
                self._broker.failing -= 1
                report(KafkaError(KafkaError.NOT_ENOUGH_REPLICAS), None)
            else:
                self._broker.records.append((topic, key, value))
                report(None, None)
        return len(queue)

    def flush(self, seconds: float) -> int:
        """Polls once."""
        self.poll(seconds)
        return len(self._queue)

    def purge(self) -> None:
        """Gives up what is queued: the next poll says so."""
        self._purged = True

    def list_topics(self, timeout: float) -> SimpleNamespace:
        """Metadata, or a timeout."""
        if not self._broker.up:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, "Broker transport failure"))
        return SimpleNamespace(brokers={1: object()})
