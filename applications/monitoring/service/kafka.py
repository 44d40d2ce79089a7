"""Kafka: how far topics reach, how new they are, and how far behind each consumer group is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from applications.monitoring.service.clients import Away
from applications.monitoring.service.measuring import Found, Sample
from applications.runtime.kafka import QUIET

SECONDS = 10.0
# Untyped by their library.
EARLIEST, LATEST, NEWEST = OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
Place = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True)
class Snapshot:
    """What Kafka says. `newest` are milliseconds since 1970, of partitions that have a record; `committed` are offsets by group."""

    begins: Mapping[Place, int]
    ends: Mapping[Place, int]
    newest: Mapping[Place, int]
    under_replicated: Mapping[str, int]
    committed: Mapping[str, Mapping[Place, int]]
    members: Mapping[str, int]


class Source(Protocol):
    """Whoever can say it."""

    def snapshot(self) -> Snapshot:
        """What Kafka says now. Raises Away."""


class Cluster:
    """A cluster, asked through its admin interface."""

    def __init__(self, bootstrap: str) -> None:
        self._configuration = {"bootstrap.servers": bootstrap, "client.id": "monitoring-service", **QUIET}
        self._client: AdminClient | None = None

    def snapshot(self) -> Snapshot:
        """What Kafka says now. Raises Away."""
        try:
            return self._snapshot()
        except KafkaException as error:
            # A client whose request was under way when the broker was killed was seen to time out for ever after.
            self._client = None
            raise Away(f"Kafka does not answer: {error.args[0].str()}") from None

    @property
    def _admin(self) -> AdminClient:
        self._client = self._client or AdminClient(self._configuration)
        return self._client

    def _snapshot(self) -> Snapshot:
        topics = {name: topic for name, topic in self._admin.list_topics(timeout=SECONDS).topics.items()
                  if not name.startswith("__")}
        places = [(name, number) for name, topic in topics.items() for number in topic.partitions]
        lacking = {name: sum(len(part.isrs) < len(part.replicas) for part in topic.partitions.values())
                   for name, topic in topics.items()}
        begins = {place: found.offset for place, found in self._offsets(places, EARLIEST).items()}
        ends = {place: found.offset for place, found in self._offsets(places, LATEST).items()}
        newest = {place: found.timestamp for place, found in self._offsets(places, NEWEST).items()
                  if found.timestamp > 0}
        groups = [found.group_id for found in
                  self._admin.list_consumer_groups(request_timeout=SECONDS).result().valid]
        return Snapshot(begins, ends, newest, lacking, {group: self._committed(group) for group in groups}, self._members(groups))

    def _offsets(self, places: Sequence[Place], spec: OffsetSpec) -> dict[Place, Any]:
        if not places:
            return {}
        asked = self._admin.list_offsets({TopicPartition(*place): spec for place in places},
                                         isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=SECONDS)
        return {(part.topic, part.partition): answer.result() for part, answer in asked.items()}

    def _committed(self, group: str) -> dict[Place, int]:
        asked = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=SECONDS)
        return {(part.topic, part.partition): part.offset for part in asked[group].result().topic_partitions or ()
                if part.offset >= 0}

    def _members(self, groups: Sequence[str]) -> dict[str, int]:
        if not groups:
            return {}
        asked = self._admin.describe_consumer_groups(list(groups), request_timeout=SECONDS)
        return {group: len(answer.result().members) for group, answer in asked.items()}


def measure(source: Source) -> Found:
    """The metrics of topics and groups; the facts list both for the page. Raises Away."""
    now = source.snapshot()
    ends: dict[str, int] = defaultdict(int)
    newest: dict[str, float] = {}
    for (topic, _), end in now.ends.items():
        ends[topic] += end
    for (topic, _), milliseconds in now.newest.items():
        newest[topic] = max(newest.get(topic, 0.0), milliseconds / 1000)
    lags = dict(_lags(now))
    summed: dict[tuple[str, str], int] = defaultdict(int)
    for (group, topic, _), records in lags.items():
        summed[group, topic] += records

    def samples() -> Iterator[Sample]:
        for topic, end in ends.items():
            yield Sample("kafka_topic_end_offset_total", end, (topic,))
        for topic, when in newest.items():
            yield Sample("kafka_topic_newest_record_timestamp_seconds", when, (topic,))
        for topic, number in now.under_replicated.items():
            yield Sample("kafka_topic_under_replicated_partitions", number, (topic,))
        for (group, topic, part), records in lags.items():
            yield Sample("kafka_consumer_group_lag", records, (group, topic, str(part)))
        for key, records in summed.items():
            yield Sample("kafka_consumer_group_lag_records", records, key)
        for group, number in now.members.items():
            yield Sample("kafka_consumer_group_members", number, (group,))

    facts = {"topics": [{"name": topic, "records": ends[topic], "newest": newest.get(topic)} for topic in sorted(ends)],
             "groups": [{"name": group, "members": now.members.get(group, 0),
                         "topics": [{"name": topic, "lag": records} for (of, topic), records in sorted(summed.items())
                                    if of == group]}
                        for group in sorted(now.committed)]}
    return Found(tuple(samples()), facts)


def _lags(now: Snapshot) -> Iterator[tuple[tuple[str, str, int], int]]:
    """The lag by group, topic and partition. Of a topic that a group reads, a partition without a commit was not read at all."""
    for group, offsets in now.committed.items():
        read = {topic for topic, _ in offsets}
        for (topic, part), end in now.ends.items():
            if topic in read:
                yield (group, topic, part), max(0, end - offsets.get((topic, part), now.begins[topic, part]))
