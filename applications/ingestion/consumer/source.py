"""Kafka as this service uses it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition, Uuid
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from applications.ingestion.consumer.objects import EPOCH_DIGITS
from applications.ingestion.consumer.records import Place, Record
from applications.runtime.kafka import QUIET
from applications.runtime.logs import log

MESSAGES = 500
CHECK_SECONDS, CALL_SECONDS = 3, 10
SESSION_MS = 10_000
"""So long a consumer may be silent; after a crash the next one gets the partitions no later."""
LONGEST_STEP_MS = 300_000
QUEUE_KB = 16 * 1024
Callback = Callable[[list[Place]], None]


class SourceError(Exception):
    """Kafka did not confirm, or did not answer."""


class Source:
    """A member of the consumer group, and an administrator's look at topics. Methods raise SourceError.

    What is assigned is not read before `start` says from where. All calls come from one thread, `check` from any.
    """

    def __init__(self, bootstrap: str, group: str, topics: Sequence[str], client_id: str) -> None:
        common = {"bootstrap.servers": bootstrap, "client.id": client_id, **QUIET}
        self._topics = topics
        self._admin = AdminClient(common)
        self._consumer = Consumer({
            **common, "group.id": group, "enable.auto.commit": False, "enable.auto.offset.store": False,
            "isolation.level": "read_committed", "allow.auto.create.topics": False, "check.crcs": True,
            # Where to start is decided by what is stored; an offset that Kafka has not is an error, not a new beginning.
            "auto.offset.reset": "error", "enable.partition.eof": True,
            "session.timeout.ms": SESSION_MS, "max.poll.interval.ms": LONGEST_STEP_MS,
            "queued.max.messages.kbytes": QUEUE_KB, "fetch.message.max.bytes": 1024 * 1024, "fetch.max.bytes": 8 * 1024 * 1024})

    def subscribe(self, assigned: Callback, revoked: Callback, lost: Callback) -> None:
        """Joins the group. The callbacks run inside `poll` and `close`."""
        def on_assign(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            consumer.assign([])
            assigned(_places(partitions))

        self._consumer.subscribe(list(self._topics), on_assign=on_assign,
                                 on_revoke=lambda _, partitions: revoked(_places(partitions)),
                                 on_lost=lambda _, partitions: lost(_places(partitions)))

    def poll(self, seconds: float) -> Iterator[tuple[Place, Record | int]]:
        """What came: records, and for a partition that ends for now the offset where it does."""
        try:
            messages = self._consumer.consume(MESSAGES, seconds)
        except KafkaException as failure:
            raise SourceError(_words(failure)) from None
        arrived = time.monotonic()
        for message in messages:
            error, place = message.error(), (message.topic() or "", message.partition() or 0)
            if error is None:
                yield place, _record(message, arrived)
            elif error.code() == KafkaError._PARTITION_EOF:
                yield place, message.offset() or 0
            elif error.code() == KafkaError._AUTO_OFFSET_RESET or error.fatal():
                raise SourceError(f"{place[0]} {place[1]}: {error.str()}")
            else:
                log.warning("kafka-error", topic=place[0], error=error.str())

    def start(self, positions: Mapping[Place, int]) -> None:
        """Reads these partitions from these offsets, and no others."""
        self._call(lambda: self._consumer.assign([TopicPartition(*place, offset) for place, offset in positions.items()]))

    def pause(self, places: Collection[Place]) -> None:
        """Reads nothing of these partitions until `resume`."""
        self._call(lambda: self._consumer.pause([TopicPartition(*place) for place in places]))

    def resume(self, places: Collection[Place]) -> None:
        """Reads on where `pause` stopped."""
        self._call(lambda: self._consumer.resume([TopicPartition(*place) for place in places]))

    def committed(self, places: Collection[Place]) -> dict[Place, tuple[int, str | None]]:
        """The committed offset of each partition and its metadata; partitions without one are left out."""
        found = self._call(lambda: self._consumer.committed([TopicPartition(*place) for place in places], timeout=CALL_SECONDS))
        for partition in found:
            if partition.error:
                raise SourceError(partition.error.str())
        return {(p.topic, p.partition): (p.offset, p.metadata) for p in found if p.offset >= 0}

    def commit(self, marks: Mapping[Place, tuple[int, str]]) -> None:
        """Commits offsets with their metadata; returns when Kafka has them."""
        wanted = [TopicPartition(*place, offset, metadata) for place, (offset, metadata) in marks.items()]
        for partition in self._call(lambda: self._consumer.commit(offsets=wanted, asynchronous=False)) or ():
            if partition.error:
                raise SourceError(f"commit of {partition.topic} {partition.partition}: {partition.error.str()}")

    def bounds(self, places: Collection[Place]) -> dict[Place, tuple[int, int]]:
        """Where each partition begins and ends now: its first offset, and the one that the next record gets."""
        lows = self._offsets(places, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        highs = self._offsets(places, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        return {place: (lows[place], highs[place]) for place in places}

    def epochs(self, topics: Collection[str]) -> dict[str, str]:
        """The identity of each topic: another one once it is deleted and made anew."""
        futures = self._call(lambda: self._admin.describe_topics(TopicCollection(list(topics)), request_timeout=CALL_SECONDS))
        return {name: _epoch(self._call(future.result).topic_id) for name, future in futures.items()}

    def check(self) -> str | None:
        """None when a broker answers and has every topic, else what is wrong."""
        try:
            there = self._admin.list_topics(timeout=CHECK_SECONDS).topics
        except KafkaException as error:
            return f"Kafka does not answer: {_words(error)}"
        missing = sorted(set(self._topics) - set(there))
        return f"topics are missing: {', '.join(missing)}; `./pipeline infrastructure init` makes them" if missing else None

    def close(self) -> None:
        """Leaves the group."""
        self._call(self._consumer.close)

    def _offsets(self, places: Collection[Place], which: OffsetSpec) -> dict[Place, int]:
        asked = {TopicPartition(*place): which for place in places}
        futures = self._call(lambda: self._admin.list_offsets(asked, request_timeout=CALL_SECONDS)) if asked else {}
        return {(p.topic, p.partition): self._call(future.result).offset for p, future in futures.items()}

    def _call(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except KafkaException as error:
            raise SourceError(_words(error)) from None


def _places(partitions: list[TopicPartition]) -> list[Place]:
    return [(p.topic, p.partition) for p in partitions]


def _record(message: Message, arrived: float) -> Record:
    headers: Any = message.headers() or ()
    return Record(message.offset() or 0, message.timestamp()[1], _bytes(message.key()), _bytes(message.value()),
                  tuple((name, _bytes(value)) for name, value in headers), arrived)


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _epoch(identity: Uuid) -> str:
    return base64.urlsafe_b64decode(f"{identity}==").hex()[:EPOCH_DIGITS]  # Kafka writes it in base64, which has / and -


def _words(error: KafkaException) -> str:
    found = error.args[0]
    return str(found.str() if isinstance(found, KafkaError) else found)
