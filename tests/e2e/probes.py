"""One use of each service through its real protocol, the same from the host and from a container on the network.

Imported on the host; run as a script inside a container, with a request (`{"probe": name, "arguments": {…}}`) on its
standard input, since secrets have no place in a command. Only the libraries of the protocols are needed.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

SEED = "probe/seed"
"""An object that must stand in every bucket before `s3` looks."""


def s3_client(endpoint: str, user: str | None, secret: str | None) -> Any:
    """A boto3 client of the object store; anonymous without a user."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    options: dict[str, Any] = {"s3": {"addressing_style": "path"}, "retries": {"max_attempts": 2}}
    if user is None:
        options["signature_version"] = UNSIGNED
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=user,
        aws_secret_access_key=secret,
        config=Config(**options),
    )


def allowed(call: Callable[[], Any]) -> bool:
    """Whether the store lets the call through. An error other than a refusal is raised."""
    from botocore.exceptions import ClientError

    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("AccessDenied", "403"):
            return False
        raise
    return True


def s3(endpoint: str, users: Mapping[str, str], buckets: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """What each user (name to secret; "" is the anonymous one) may do in each bucket: list, read, write, delete."""
    return {
        user: {
            bucket: _may(
                s3_client(endpoint, user or None, secret or None), bucket, f"probe/{user or 'anonymous'}"
            )
            for bucket in buckets
        }
        for user, secret in users.items()
    }


def _may(client: Any, bucket: str, key: str) -> list[str]:
    calls: dict[str, Callable[[], Any]] = {
        "list": lambda: client.list_objects_v2(Bucket=bucket, MaxKeys=1),
        "read": lambda: client.get_object(Bucket=bucket, Key=SEED)["Body"].read(),
        "write": lambda: client.put_object(Bucket=bucket, Key=key, Body=b"probe"),
        "delete": lambda: client.delete_object(Bucket=bucket, Key=key),
    }
    return [name for name, call in calls.items() if allowed(call)]


def s3_beyond(endpoint: str, users: Mapping[str, str], bucket: str) -> dict[str, list[str]]:
    """What of the administrator's work each user may do: make a bucket, open one to the world."""
    document = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "s3:GetObject",
                    "Resource": f"arn:aws:s3:::{bucket}/*",
                }
            ],
        }
    )
    found: dict[str, list[str]] = {}
    for user, secret in users.items():
        client = s3_client(endpoint, user, secret)
        calls: dict[str, Callable[[], Any]] = {
            "make a bucket": partial(client.create_bucket, Bucket="probe-bucket"),
            "open a bucket": partial(client.put_bucket_policy, Bucket=bucket, Policy=document),
        }
        found[user] = [name for name, call in calls.items() if allowed(call)]
    return found


def sql(host: str, port: int, user: str, password: str, databases: Sequence[str]) -> dict[str, str]:
    """For each database `open`, or why the server refuses."""
    import psycopg

    found = {}
    for database in databases:
        try:
            with psycopg.connect(
                host=host, port=port, user=user, password=password, dbname=database, connect_timeout=10
            ) as connection:
                connection.execute("SELECT 1")
            found[database] = "open"
        except psycopg.OperationalError as error:
            found[database] = str(error)
    return found


def role(host: str, port: int, user: str, password: str, database: str) -> dict[str, Any]:
    """What the server says of the role that asks, and whether it can work in its database."""
    import psycopg

    with psycopg.connect(host=host, port=port, user=user, password=password, dbname=database) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS probe (id int PRIMARY KEY)")
        connection.execute("DROP TABLE probe")
        row = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolconnlimit, pg_get_userbyid(datdba), "
            "pg_encoding_to_char(encoding) FROM pg_roles, pg_database WHERE rolname = current_user AND datname = %s",
            (database,),
        ).fetchone()
    assert row is not None
    names = (
        "superuser",
        "creates databases",
        "creates roles",
        "replicates",
        "connections",
        "owner",
        "encoding",
    )
    return dict(zip(names, row, strict=True))


def kafka_round_trip(bootstrap: str, topic: str, text: str) -> str:
    """Produces `text` with acks=all, and returns what a consumer reads at the very place it was written to."""
    from confluent_kafka import Consumer, Producer, TopicPartition

    written: list[Any] = []

    def delivered(error: Any, message: Any) -> None:
        written.append(error if error else (message.partition(), message.offset()))

    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "message.timeout.ms": 30000})
    producer.produce(topic, text.encode(), key=b"probe", on_delivery=delivered)
    producer.flush(40)
    if not written or not isinstance(written[0], tuple):
        raise RuntimeError(f"{bootstrap} did not take the record: {written}")
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "probe", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, *written[0])])
        message = consumer.poll(30)
        if message is None or message.error():
            raise RuntimeError(f"{bootstrap} gave no record back: {message and message.error()}")
        return str((message.value() or b"").decode())
    finally:
        consumer.close()


def kafka_undeclared(bootstrap: str, topic: str) -> dict[str, Any]:
    """Produces to a topic that nobody declared: the error, and whether the topic exists afterwards."""
    from confluent_kafka import Producer

    errors: list[Any] = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "message.timeout.ms": 4000,
            "topic.metadata.propagation.max.ms": 1000,
        }
    )
    producer.produce(topic, b"probe", on_delivery=lambda error, _: errors.append(error))
    producer.flush(30)
    return {
        "error": str(errors[0]) if errors and errors[0] else "",
        "topics": list(producer.list_topics(timeout=20).topics),
    }


def redis(host: str, port: int, password: str | None) -> str:
    """`ok` when a value could be written and read back, else what Redis answers."""
    import redis as client

    connection = client.Redis(
        host=host, port=port, password=password, socket_timeout=10, decode_responses=True
    )
    try:
        connection.set("probe", "value")
        answer = connection.get("probe")
        connection.delete("probe")
    except client.exceptions.RedisError as error:
        return f"{type(error).__name__}: {error}"
    return "ok" if answer == "value" else f"read {answer!r}"


def zookeeper(host: str, port: int) -> str:
    """The answer to `ruok`."""
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.sendall(b"ruok")
        return connection.recv(16).decode()


PROBES: Mapping[str, Callable[..., Any]] = {
    probe.__name__: probe
    for probe in (s3, s3_beyond, sql, role, kafka_round_trip, kafka_undeclared, redis, zookeeper)
}


if __name__ == "__main__":
    request = json.load(sys.stdin)
    json.dump(PROBES[request["probe"]](**request["arguments"]), sys.stdout)
