"""A marker in every store: what must still be there after whatever happens to containers."""

from __future__ import annotations

import secrets
from typing import Any

import psycopg
import redis
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from components.infrastructure.tables import KEPT_DATABASES
from tests.e2e.probes import s3_client
from tests.e2e.stack import Stack

BUCKET, KEY, TOPIC, ZNODE = "bronze", "marker", "dead-letter", "/marker"
ZOOKEEPER_SHELL = ("/opt/kafka/bin/zookeeper-shell.sh", "localhost:2181")


class Markers:
    """One value, written to every store of a stack once and looked for as often as wanted."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.value = stack, secrets.token_hex(8)
        self._s3().put_object(Bucket=BUCKET, Key=KEY, Body=self.value.encode())
        for spec in KEPT_DATABASES:
            with self._sql(spec.name, spec.server) as connection:
                connection.execute("CREATE TABLE marker (value text)")
                connection.execute("INSERT INTO marker VALUES (%s)", (self.value,))
        self._redis().set(KEY, self.value)
        written: list[Any] = []
        producer = Producer({"bootstrap.servers": self._kafka, "acks": "all"})
        producer.produce(TOPIC, self.value.encode(), on_delivery=lambda error, message: written.append(error or message))
        producer.flush(40)
        assert isinstance(written[0], Message), f"the marker did not reach Kafka: {written}"
        self._place = TopicPartition(TOPIC, written[0].partition() or 0, written[0].offset() or 0)
        stack.execute("zookeeper", *ZOOKEEPER_SHELL, "create", ZNODE, self.value)

    def missing(self) -> list[str]:
        """The stores that do not hold the marker any more."""
        held = {
            "minio": self._s3().get_object(Bucket=BUCKET, Key=KEY)["Body"].read().decode(),
            "redis": self._redis().get(KEY),
            "kafka": self._record(),
            "zookeeper": self.stack.execute("zookeeper", *ZOOKEEPER_SHELL, "get", ZNODE),
        }
        for spec in KEPT_DATABASES:
            with self._sql(spec.name, spec.server) as connection:
                held[spec.server] = str(connection.execute("SELECT value FROM marker").fetchall())
        return [store for store, content in held.items() if self.value not in str(content)]

    def _record(self) -> str:
        consumer = Consumer({"bootstrap.servers": self._kafka, "group.id": "markers", "enable.auto.commit": False})
        try:
            consumer.assign([self._place])
            message = consumer.poll(30)
            return str(message.value()) if message and not message.error() else "nothing"
        finally:
            consumer.close()

    @property
    def _kafka(self) -> str:
        return f"127.0.0.1:{self.stack.port('kafka')}"

    def _s3(self) -> Any:  # boto3 makes its clients' classes at run time
        return s3_client(
            f"http://127.0.0.1:{self.stack.port('minio')}",
            "storage-operator",
            self.stack.secrets["lake-storage-operator"],
        )

    def _sql(self, name: str, server: str) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.stack.port(server),
            user=name,
            dbname=name,
            password=self.stack.secrets[f"{name}-database"],
        )

    def _redis(self) -> redis.Redis:
        return redis.Redis(
            port=self.stack.port("redis"), password=self.stack.secrets["redis"], decode_responses=True
        )
