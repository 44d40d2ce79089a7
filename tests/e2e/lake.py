"""What stands in Kafka and in the lake, read by a client of its own: each record by its position."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq
from confluent_kafka import Consumer, TopicPartition
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from components.infrastructure.tables import TOPICS
from tests.e2e.probes import s3_client
from tests.e2e.stack import Stack

Position = tuple[str, int, int]
USER = "monitoring-service"
POLL_SECONDS = 20


@dataclass(frozen=True)
class Record:
    """A Kafka record: its timestamp in milliseconds, key and value."""

    timestamp: int
    key: bytes | None
    value: bytes | None


class Lake:
    """Reads a stack's topics, bronze objects and tables, as the user that may read everything and write nothing."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.endpoint = f"http://127.0.0.1:{stack.port('minio')}"
        self.secret = stack.secrets[f"lake-{USER}"]

    def topics(self, names: Iterable[str] = tuple(spec.name for spec in TOPICS)) -> dict[Position, Record]:
        """Every record of the topics, from their beginnings to the ends that they have now."""
        return {position: record for name in names for position, record in self._topic(name)}

    def _topic(self, name: str) -> Iterator[tuple[Position, Record]]:
        consumer = Consumer({"bootstrap.servers": f"127.0.0.1:{self.stack.port('kafka')}", "group.id": "e2e-reader",
                             "enable.auto.commit": False, "enable.partition.eof": False})
        try:
            partitions = consumer.list_topics(name, timeout=POLL_SECONDS).topics[name].partitions
            ends = {p: consumer.get_watermark_offsets(TopicPartition(name, p), timeout=POLL_SECONDS) for p in partitions}
            left = {p: high for p, (low, high) in ends.items() if high > low}
            consumer.assign([TopicPartition(name, p, ends[p][0]) for p in left])
            while left:
                message = consumer.poll(POLL_SECONDS)
                assert message is not None and not message.error(), f"{name}: {message and message.error()}, {left} unread"
                partition, offset = message.partition() or 0, message.offset() or 0
                yield (name, partition, offset), Record(message.timestamp()[1], message.key(), message.value())
                if offset + 1 >= left.get(partition, 0):
                    left.pop(partition, None)
        finally:
            consumer.close()

    def bronze(self) -> tuple[dict[Position, Record], list[Position]]:
        """Every record of the bronze zone, and the positions that stand there more than once."""
        client = s3_client(self.endpoint, USER, self.secret)
        found: dict[Position, Record] = {}
        seen: Counter[Position] = Counter()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket="bronze"):
            for entry in page.get("Contents", []):
                if entry["Key"].endswith(".parquet"):
                    body = client.get_object(Bucket="bronze", Key=entry["Key"])["Body"].read()
                    for row in pq.read_table(io.BytesIO(body)).to_pylist():
                        position = (row["topic"], row["partition"], row["offset"])
                        seen[position] += 1
                        found[position] = Record(int(row["timestamp"].timestamp() * 1000), row["key"], row["value"])
        return found, [position for position, count in seen.items() if count > 1]

    def table(self, path: str, columns: list[str] | None = None) -> list[dict[str, Any]]:
        """The rows of a Delta table (`silver/lab-results`); none while it is not there."""
        options = {"AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": self.secret,
                   "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}
        try:
            table = DeltaTable(f"s3://{path}", storage_options=options)
        except TableNotFoundError:
            return []
        return list(table.to_pyarrow_table(columns=columns).to_pylist())
