"""Probes of the infrastructure layer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial

import psycopg
import redis
import urllib3
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from minio import Minio
from redis.backoff import NoBackoff
from redis.retry import Retry

from components.infrastructure.minio import ROOT_USER
from components.infrastructure.settings import InfrastructureSettings, copy_name
from components.infrastructure.tables import BUCKETS, KEPT_DATABASES, TOPICS
from components.settings import Settings
from operations.probes import Probe

SECONDS = 5


def probes(settings: Settings) -> Iterator[Probe]:
    """One probe a service, from the host, as a client would use it."""
    layer, address = settings.of(InfrastructureSettings), str(settings.platform.bind_address)
    secrets = settings.platform.secrets
    yield Probe("minio", partial(minio, f"{address}:{layer.port('minio')}", secrets["minio-root"]))
    for spec in KEPT_DATABASES:
        yield Probe(spec.server, partial(postgres, address, layer.port(spec.server), spec.name, secrets[f"{spec.name}-database"]))
    yield Probe("redis", partial(cache, address, layer.port("redis"), secrets["redis"]))
    for index in range(layer.copies()["zookeeper"]):
        yield Probe(copy_name("zookeeper", index), partial(zookeeper, address, layer.port("zookeeper", index)))
    for index in range(layer.kafka_brokers):
        yield Probe(copy_name("kafka", index), partial(kafka, f"{address}:{layer.port('kafka', index)}"))
    for page in ("redis-insight", "kafka-ui"):
        if settings.catalog.choose(page):
            yield Probe(page, partial(http, f"http://{address}:{layer.port(page)}/"))


def minio(endpoint: str, password: str) -> str:
    """Lists the buckets as the administrator and compares them with the declared ones."""
    pool = urllib3.PoolManager(timeout=SECONDS, retries=False)
    there = {bucket.name for bucket in Minio(endpoint, ROOT_USER, password, secure=False, http_client=pool).list_buckets()}
    missing = sorted(set(BUCKETS) - there)
    if missing:
        raise RuntimeError(f"buckets are missing: {', '.join(missing)}; `./pipeline infrastructure init` makes them again")
    return f"{len(there)} buckets"


def postgres(host: str, port: int, name: str, password: str) -> str:
    """Asks the database as the role that owns it."""
    with psycopg.connect(host=host, port=port, dbname=name, user=name, password=password, connect_timeout=SECONDS) as connection:
        row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()").fetchone()
    return f"database {name}, {row[0] if row else 0} connections"


def cache(host: str, port: int, password: str) -> str:
    """PING with the password."""
    client = redis.Redis(host=host, port=port, password=password, socket_timeout=SECONDS, socket_connect_timeout=SECONDS,
                         retry=Retry(NoBackoff(), 0))
    try:
        client.ping()
        return f"{client.dbsize()} keys"
    finally:
        client.close()


def zookeeper(host: str, port: int) -> str:
    """The node's own word."""
    with socket.create_connection((host, port), timeout=SECONDS) as connection:
        connection.sendall(b"ruok")
        answer = connection.recv(16).decode(errors="replace")
    if answer != "imok":
        raise RuntimeError(f"answered {answer!r} to ruok")
    return answer


def kafka(address: str) -> str:
    """Every topic has a leader for each partition and all its copies in step."""
    client = AdminClient({"bootstrap.servers": address, "socket.timeout.ms": SECONDS * 1000, "log_level": 0})
    try:
        metadata = client.list_topics(timeout=SECONDS)
    except KafkaException as error:
        raise RuntimeError(f"{address}: {error.args[0].str()}") from None
    missing = sorted({spec.name for spec in TOPICS} - set(metadata.topics))
    if missing:
        raise RuntimeError(f"topics are missing: {', '.join(missing)}; `./pipeline infrastructure init` makes them again")
    for name, topic in metadata.topics.items():
        for partition in topic.partitions.values():
            if partition.leader < 0:
                raise RuntimeError(f"partition {partition.id} of {name} has no leader")
            if len(partition.isrs) < len(partition.replicas):
                raise RuntimeError(f"partition {partition.id} of {name} has {len(partition.isrs)} of "
                                   f"{len(partition.replicas)} copies in step")
    return f"{len(metadata.brokers)} brokers, {len(metadata.topics)} topics"


def http(url: str) -> str:
    """A page answers, if only with a request to log in."""
    answer = urllib3.PoolManager(timeout=SECONDS, retries=False).request("GET", url, redirect=False)
    if answer.status >= 400 and answer.status not in (401, 403):
        raise RuntimeError(f"{url} answered {answer.status}")
    return f"answers {answer.status}"
