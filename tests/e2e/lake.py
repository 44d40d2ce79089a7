"""What stands in Kafka and in the lake, read by a client of its own: each record by its position."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq
from confluent_kafka import Consumer, TopicPartition
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from applications.ingestion.consumer.objects import Name
from components.infrastructure.tables import TOPICS
from tests.e2e.probes import s3_client
from tests.e2e.stack import Stack

Position = tuple[str, int, int]
Ends = Mapping[tuple[str, int], int]
USER = "monitoring-service"
OPERATOR = "storage-operator"
"""Who may do everything in the lake."""
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

    def topics(self, names: Iterable[str] = tuple(spec.name for spec in TOPICS),
               since: Ends | None = None) -> dict[Position, Record]:
        """Every record of the topics, from their beginnings or from `since`, to the ends that they have now."""
        return {position: record for name in names for position, record in self._topic(name, since or {})}

    def ends(self, names: Iterable[str] = tuple(spec.name for spec in TOPICS)) -> Ends:
        """The position after the newest record of every partition."""
        consumer = self._consumer()
        try:
            return {(name, p): consumer.get_watermark_offsets(TopicPartition(name, p), timeout=POLL_SECONDS)[1]
                    for name in names for p in consumer.list_topics(name, timeout=POLL_SECONDS).topics[name].partitions}
        finally:
            consumer.close()

    def _consumer(self) -> Consumer:
        return Consumer({"bootstrap.servers": f"127.0.0.1:{self.stack.port('kafka')}", "group.id": "e2e-reader",
                         "enable.auto.commit": False, "enable.partition.eof": False})

    def _topic(self, name: str, since: Ends) -> Iterator[tuple[Position, Record]]:
        consumer = self._consumer()
        try:
            partitions = consumer.list_topics(name, timeout=POLL_SECONDS).topics[name].partitions
            ends = {p: consumer.get_watermark_offsets(TopicPartition(name, p), timeout=POLL_SECONDS) for p in partitions}
            begins = {p: max(low, since.get((name, p), 0)) for p, (low, _) in ends.items()}
            left = {p: high for p, (_, high) in ends.items() if high > begins[p]}
            consumer.assign([TopicPartition(name, p, begins[p]) for p in left])
            while left:
                message = consumer.poll(POLL_SECONDS)
                assert message is not None and not message.error(), f"{name}: {message and message.error()}, {left} unread"
                partition, offset = message.partition() or 0, message.offset() or 0
                yield (name, partition, offset), Record(message.timestamp()[1], message.key(), message.value())
                if offset + 1 >= left.get(partition, 0):
                    left.pop(partition, None)
        finally:
            consumer.close()

    def bronze(self, since: Ends | None = None) -> tuple[dict[Position, Record], list[Position]]:
        """Every record of the bronze zone, and the positions that stand there more than once; or only those of the objects that
        hold something of these partitions from `since` on."""
        client = s3_client(self.endpoint, USER, self.secret)
        found: dict[Position, Record] = {}
        seen: Counter[Position] = Counter()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket="bronze"):
            for entry in page.get("Contents", []):
                name = Name.parse(entry["Key"])
                if name is not None and (since is None or name.last >= since.get(name.place, sys.maxsize)):
                    body = client.get_object(Bucket="bronze", Key=entry["Key"])["Body"].read()
                    for row in pq.read_table(io.BytesIO(body)).to_pylist():
                        position = (row["topic"], row["partition"], row["offset"])
                        seen[position] += 1
                        found[position] = Record(int(row["timestamp"].timestamp() * 1000), row["key"], row["value"])
        return found, [position for position, count in seen.items() if count > 1]

    def table(self, path: str, columns: list[str] | None = None) -> list[dict[str, Any]]:
        """The rows of a Delta table (`silver/lab-results`); none while it is not there."""
        try:
            return list(self._delta(path).to_pyarrow_table(columns=columns).to_pylist())
        except TableNotFoundError:
            return []

    def recent(self, path: str, moment: datetime) -> set[str]:
        """The ids of a table's events from that moment of their own time on; none while the table is not there."""
        try:
            rows = self._delta(path).to_pyarrow_dataset()
        except TableNotFoundError:
            return set()
        return set(rows.to_table(columns=["event_id"], filter=pc.field("event_time") >= moment)["event_id"].to_pylist())

    def digest(self, path: str, columns: Iterable[str]) -> tuple[int, int]:
        """The number of a table's rows and a sum over a hash of each: equal for equal rows, in whatever order."""
        rows = self._delta(path).to_pyarrow_dataset()
        whole = ", ".join(f'"{name}"' for name in columns)
        with duckdb.connect() as connection:
            connection.register("rows", rows)
            found = connection.execute(f"SELECT count(*), coalesce(sum(hash(ROW({whole}))::HUGEINT), 0) FROM rows").fetchone()
        assert found is not None
        return int(found[0]), int(found[1])

    def columns(self, path: str) -> list[str]:
        """The names of a table's columns."""
        return [field.name for field in self._delta(path).schema().fields]

    def newest(self, path: str, column: str) -> datetime:
        """The greatest moment of a column."""
        found: datetime = pc.max(self._delta(path).to_pyarrow_table(columns=[column])[column]).as_py()
        return found

    def _delta(self, path: str) -> DeltaTable:
        options = {"AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": self.secret,
                   "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}
        return DeltaTable(f"s3://{path}", storage_options=options)


def objects(stack: Stack, bucket: str, prefix: str) -> dict[str, bytes]:
    """The objects of a bucket below a prefix."""
    client = s3_client(f"http://127.0.0.1:{stack.port('minio')}", OPERATOR, stack.secrets[f"lake-{OPERATOR}"])
    listed = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {entry["Key"]: client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in listed}


def put(stack: Stack, bucket: str, key: str, body: bytes) -> None:
    """Writes an object."""
    client = s3_client(f"http://127.0.0.1:{stack.port('minio')}", OPERATOR, stack.secrets[f"lake-{OPERATOR}"])
    client.put_object(Bucket=bucket, Key=key, Body=body)
