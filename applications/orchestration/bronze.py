"""Whether the bronze zone has everything that Kafka took before a moment, and anything at all of an interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from applications.clinical.models import DEAD_LETTER_TOPIC, INGRESS
from applications.orchestration.intervals import HOUR, Interval

if TYPE_CHECKING:
    from applications.monitoring.lake import LakeAccess

TOPICS: tuple[str, ...] = (*(str(kind) for kind in INGRESS), DEAD_LETTER_TOPIC)
"""What the job `backfill` of spark-batch reads."""
GROUP = "bronze"
"""The group of kafka-consumer, which commits an offset once its records are objects of bronze."""
SECONDS = 15.0


class BronzeFault(Exception):
    """Kafka cannot say how far bronze is, in words for whoever runs the platform."""


@dataclass(frozen=True)
class Partition:
    """A partition: the offset behind the last record that Kafka took before a moment (`wanted`), the first that Kafka still has,
    and the committed one (None before the first commit)."""

    topic: str
    number: int
    first: int
    wanted: int
    committed: int | None

    @property
    def missing(self) -> int:
        """Records before the moment that are not known to be in bronze."""
        done = self.first if self.committed is None else self.committed
        return max(0, self.wanted - max(done, self.first))


def lacking(found: Sequence[Partition]) -> dict[str, int]:
    """Records that bronze still lacks, by topic; empty when it is complete."""
    lacks: dict[str, int] = {}
    for partition in found:
        if partition.missing:
            lacks[partition.topic] = lacks.get(partition.topic, 0) + partition.missing
    return lacks


def partitions(bootstrap: str, until: datetime, topics: Sequence[str] = TOPICS) -> list[Partition]:
    """Every partition of the topics with how far bronze must be, and is. Joins no group. Raises BronzeFault."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition
    client = Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP, "enable.auto.commit": False, "log_level": 2,
                       "error_cb": lambda _error: None})
    try:
        known = client.list_topics(timeout=SECONDS).topics
        absent = sorted(set(topics) - set(known))
        if absent:
            raise BronzeFault(f"Kafka at {bootstrap} has no topic {', '.join(absent)}: run `./pipeline infrastructure start`")
        names = [(topic, number) for topic in topics for number in sorted(known[topic].partitions)]
        stamp = int(until.timestamp() * 1000)
        wanted = client.offsets_for_times([TopicPartition(topic, number, stamp) for topic, number in names], timeout=SECONDS)
        committed = client.committed([TopicPartition(topic, number) for topic, number in names], timeout=SECONDS)
        return [_partition(client, at, done) for at, done in zip(wanted, committed, strict=True)]
    except KafkaException as error:
        raise BronzeFault(f"Kafka at {bootstrap} does not say how far bronze is ({error.args[0].str()}): see `./pipeline "
                          "infrastructure health`") from error
    finally:
        client.close()


def anything(lake: LakeAccess, interval: Interval) -> bool:
    """Whether bronze has an object of the interval's hours. An object stands in the hour of its records, so none means that
    there is nothing to do. Raises LakeError."""
    hours = set(folders(interval))
    days = sorted({folder.partition("/")[0] for folder in hours})
    for topic in TOPICS:
        for day in days:
            for found in lake.objects("bronze", f"{topic}/{day}/"):
                if found.key.removeprefix(f"{topic}/").rpartition("/")[0] in hours:
                    return True
    return False


def folders(interval: Interval) -> Iterator[str]:
    """The folders below a topic that may hold records of the interval, as kafka-consumer names them."""
    hour = interval.begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < interval.end:
        yield f"date={hour:%Y-%m-%d}/hour={hour:%H}"
        hour += HOUR


def describe(lacks: Mapping[str, int]) -> str:
    """What is waited for, in words."""
    return ", ".join(f"{count} records of {topic}" for topic, count in sorted(lacks.items()))


def _partition(client: Any, at: Any, done: Any) -> Partition:
    first, behind = client.get_watermark_offsets(at, timeout=SECONDS)
    # A negative offset stands for none: no record is as late as that moment, or nothing was committed.
    return Partition(at.topic, at.partition, first, at.offset if at.offset >= 0 else behind,
                     done.offset if done.offset >= 0 else None)
