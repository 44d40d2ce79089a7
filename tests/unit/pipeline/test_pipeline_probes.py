"""A probe tells a service that works from one that only listens."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException
from minio import Minio

from components.infrastructure.tables import TOPICS
from components.settings import Settings
from components.storage.layer import Rule
from operations.layers import infrastructure, orchestration, storage
from tests.unit.components.recorded import configuration


@contextmanager
def server(answer: bytes) -> Iterator[int]:
    """A server that gives one answer to one question."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join()


def cluster(monkeypatch: pytest.MonkeyPatch, leader: int = 1, in_step: int = 2, topics: int = len(TOPICS)) -> None:
    """A broker whose topics have two copies."""
    partition = SimpleNamespace(id=0, leader=leader, replicas=[1, 2], isrs=[1, 2][:in_step])
    found = {spec.name: SimpleNamespace(partitions={0: partition}) for spec in TOPICS[:topics]}
    metadata = SimpleNamespace(brokers={1: None, 2: None}, topics=found)
    monkeypatch.setattr(infrastructure, "AdminClient", lambda _: SimpleNamespace(list_topics=lambda timeout: metadata))


def test_kafka_is_well_when_every_partition_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaders and copies of each topic are looked at."""
    cluster(monkeypatch)
    assert infrastructure.kafka("h:1") == f"2 brokers, {len(TOPICS)} topics"


@pytest.mark.parametrize(("state", "words"), [
    ({"leader": -1}, "has no leader"), ({"in_step": 1}, "1 of 2 copies in step"),
    ({"topics": 7}, "topics are missing: dead-letter")])
def test_kafka_that_answers_but_does_not_work(monkeypatch: pytest.MonkeyPatch, state: dict[str, Any], words: str) -> None:
    """A broker that only lists topics is not well."""
    cluster(monkeypatch, **state)
    with pytest.raises(RuntimeError, match=words):
        infrastructure.kafka("h:1")


def test_kafka_that_is_away_is_said_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as the client's own object."""
    def away(timeout: float) -> None:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    monkeypatch.setattr(infrastructure, "AdminClient", lambda _: SimpleNamespace(list_topics=away))
    with pytest.raises(RuntimeError, match=r"^h:1: (?!KafkaError)"):
        infrastructure.kafka("h:1")


def test_zookeeper_must_say_that_it_is_well() -> None:
    """An open port is not enough."""
    with server(b"imok") as port:
        assert infrastructure.zookeeper("127.0.0.1", port) == "imok"
    with server(b"This ZooKeeper instance is not currently serving requests\n") as port, pytest.raises(RuntimeError, match="ruok"):
        infrastructure.zookeeper("127.0.0.1", port)


@pytest.mark.parametrize(("status", "well"), [(200, True), (401, True), (302, True), (404, False), (503, False)])
def test_a_page_is_well_when_it_answers_or_asks_for_a_login(status: int, well: bool) -> None:
    """A page that is not there, or a server in trouble, is not."""
    with server(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()) as port:
        url = f"http://127.0.0.1:{port}/"
        if well:
            assert infrastructure.http(url) == f"answers {status}"
        else:
            with pytest.raises(RuntimeError, match=str(status)):
                infrastructure.http(url)


def test_minio_must_have_every_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose data is lost answers well, too."""
    client = SimpleNamespace(list_buckets=lambda: [SimpleNamespace(name="bronze")])
    monkeypatch.setattr(infrastructure, "Minio", lambda *_, **__: client)
    with pytest.raises(RuntimeError, match="backups, checkpoints"):
        infrastructure.minio("h:1", "secret")


def bucket(versions: str = "Enabled", old_days: int | None = 30, rules: int = 1) -> Minio:
    """A bucket's settings as the server tells them."""
    expiry = SimpleNamespace(noncurrent_days=old_days)
    rule = SimpleNamespace(rule_id="old-versions", expiration=None, noncurrent_version_expiration=expiry)
    return cast(Minio, SimpleNamespace(
        get_bucket_versioning=lambda _: SimpleNamespace(status=versions),
        get_bucket_lifecycle=lambda _: SimpleNamespace(rules=[rule]) if rules else None))


RULES = [Rule(name="old-versions", bucket="bronze", old_versions_days=30)]


@pytest.mark.parametrize("found", [bucket(versions="Suspended"), bucket(old_days=31), bucket(rules=0)])
def test_rules_that_differ_from_the_declared_ones_are_found(found: Minio) -> None:
    """Read back, since the server ignores some rules in silence."""
    assert "versions kept" in storage.bucket_rules(bucket(), "bronze", RULES)
    with pytest.raises(RuntimeError, match="storage init"):
        storage.bucket_rules(found, "bronze", RULES)


def test_every_service_has_a_probe() -> None:
    """One for each copy, too; the page that cannot be had has none."""
    settings = Settings.parse("clinical-mlops", "unit", configuration("prod", images="build"))
    assert [probe.service for probe in infrastructure.probes(settings)] == [
        "minio", "postgres-mlflow", "postgres-airflow", "redis", "zookeeper", "zookeeper-2", "zookeeper-3", "kafka", "kafka-2",
        "kafka-3", "redis-insight"]
    assert [probe.service for probe in storage.probes(settings)] == [
        "bronze", "mlflow-artifacts", "quarantine", "backups", "airflow-logs"]
    assert [probe.service for probe in orchestration.probes(settings)] == [
        "airflow-webserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"]
