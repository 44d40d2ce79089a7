"""Kafka's administrator, as far as the management command asks it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

WEEK_MS = 7 * 86_400_000
Ends = Mapping[str, Mapping[int, tuple[int, int]]]
"""The first offset and the one behind the last of each partition, by topic."""


def done(result: Any) -> Future[Any]:
    """An answer that has come."""
    future: Future[Any] = Future()
    future.set_result(result)
    return future


class FakeAdmin:
    """A cluster with two copies of each partition, of which `in_step` follow; None for one that is away. `stored` is what the
    group of kafka-consumer has committed, None where there is no such group."""

    def __init__(self, ends: Ends | None, stored: Mapping[tuple[str, int], int] | None = None, in_step: int = 2,
                 group_error: int = KafkaError.GROUP_ID_NOT_FOUND) -> None:
        self.ends, self.stored, self.in_step, self.group_error = ends, stored, in_step, group_error

    @staticmethod
    def config(policy: str) -> dict[str, Any]:
        """A topic's settings."""
        return {"retention.ms": SimpleNamespace(value=str(WEEK_MS)), "cleanup.policy": SimpleNamespace(value=policy)}

    def list_topics(self, timeout: float) -> Any:
        """The topics. Raises KafkaException where no broker answers."""
        if self.ends is None:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        partition = SimpleNamespace(replicas=[1, 2], isrs=[1, 2][:self.in_step])
        return SimpleNamespace(topics={name: SimpleNamespace(partitions=dict.fromkeys(ends, partition))
                                       for name, ends in self.ends.items()})

    def list_offsets(self, wanted: Mapping[TopicPartition, OffsetSpec],
                     request_timeout: float) -> dict[TopicPartition, Future[Any]]:
        """First or last offsets."""
        assert self.ends is not None
        earliest = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
        return {place: done(SimpleNamespace(offset=self.ends[place.topic][place.partition][0 if spec == earliest else 1]))
                for place, spec in wanted.items()}

    def list_consumer_group_offsets(self, groups: list[Any], request_timeout: float) -> dict[str, Future[Any]]:
        """What one group has committed."""
        future: Future[Any] = Future()
        if self.stored is None:
            future.set_exception(KafkaException(KafkaError(self.group_error)))
        else:
            future.set_result(SimpleNamespace(topic_partitions=[TopicPartition(*place, offset)
                                                                for place, offset in self.stored.items()]))
        return {groups[0].group_id: future}

    def describe_configs(self, resources: Iterable[Any], request_timeout: float) -> dict[Any, Future[Any]]:
        """The settings of topics."""
        return {resource: done(self.config("delete")) for resource in resources}
