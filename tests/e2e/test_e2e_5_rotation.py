"""Rule: a secret is changed while events flow: what was accepted stays, the old one is refused, the new one is let in."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
import redis
from minio import Minio
from minio.error import S3Error

from applications.clinical.models import INGRESS
from applications.clinical.simulation import Entry, FaultKind
from components.infrastructure.minio import ROOT_USER
from components.infrastructure.postgres import ADMIN
from tests.e2e.command import ALL, Command
from tests.e2e.effects import renewed, seen
from tests.e2e.flow import Senders, wait_until
from tests.e2e.lake import Ends, Lake
from tests.e2e.markers import Markers
from tests.e2e.stack import Stack
from tests.e2e.test_e2e_3_secrets import files_below

NAMES = ("redis", "lake-kafka-consumer", "mlflow-database", "mq-gateway", "mq-lab-processor", "mq-monitor", "minio-root",
         "postgres-mlflow-admin", "gateway-key-generator")
"""One of each kind that the lower layers have: a file on both sides, a user of the lake, a role, users of the queue, two
administrators, a client's key."""
STREAMED, THROUGH_GATEWAY = 9_000, 3_000
REFUSED = (FaultKind.WRONG_UNIT, FaultKind.MALFORMED)


@dataclass(frozen=True)
class Changed:
    """What the change of secrets came to: the secrets and the ends of the topics before, which containers are new, what the senders
    were told is safe, and what the command told."""

    before: Mapping[str, str]
    ends: Ends
    renewed: set[str]
    accepted: list[Entry]
    told: str


@pytest.fixture(scope="module")
def changed(platform: Stack, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Changed:
    """New secrets in the middle of a run of messages."""
    before, old, ends = seen(platform), dict(platform.secrets), Lake(platform).ends(INGRESS)
    senders = Senders(platform, Path(tmp_path_factory.mktemp("rotation")), STREAMED, THROUGH_GATEWAY)
    senders.start()
    answer = command(ALL, "rotate-secrets", *NAMES, "--yes")
    platform.secrets = secrets_of(platform)
    return Changed(old, ends, renewed(before, seen(platform)), senders.finish(), answer.found + answer.told)


def secrets_of(platform: Stack) -> dict[str, str]:
    """The secrets that the stack has now; what prints them keeps no log."""
    shown = subprocess.run(platform.command("config", "--show-secrets", "--json"), cwd=platform.folder, env=platform.environment,
                           capture_output=True, text=True, check=True).stdout
    found: dict[str, str] = json.loads(json.loads(shown)["clinical:secrets"]["value"])
    return found


def lets_in(platform: Stack, name: str, secret: str) -> bool:
    """Whether whoever keeps the secret takes this value of it."""
    questions: Mapping[str, Callable[[], bool]] = {
        "redis": lambda: cache(platform, secret), "mlflow-database": lambda: sql(platform, "mlflow", secret),
        "postgres-mlflow-admin": lambda: sql(platform, ADMIN, secret), "minio-root": lambda: lake(platform, ROOT_USER, secret),
        "lake-kafka-consumer": lambda: lake(platform, "kafka-consumer", secret),
        "gateway-key-generator": lambda: gateway(platform, secret),
        **{f"mq-{user}": lambda user=user: queue(platform, user, secret)  # type: ignore[misc]
           for user in ("gateway", "lab-processor", "monitor")}}
    return questions[name]()


def cache(platform: Stack, secret: str) -> bool:
    """Redis."""
    try:
        return bool(redis.Redis(port=platform.port("redis"), password=secret).ping())
    except redis.AuthenticationError:
        return False


def sql(platform: Stack, role: str, secret: str) -> bool:
    """MLflow's PostgreSQL."""
    try:
        with psycopg.connect(host="127.0.0.1", port=platform.port("postgres-mlflow"), user=role, password=secret,
                             dbname="mlflow" if role != ADMIN else "postgres"):
            return True
    except psycopg.OperationalError as error:
        assert "password authentication failed" in str(error)
        return False


def lake(platform: Stack, user: str, secret: str) -> bool:
    """MinIO."""
    try:
        next(Minio(f"127.0.0.1:{platform.port('minio')}", user, secret, secure=False).list_objects("bronze"), None)
    except S3Error as error:
        assert error.code == "SignatureDoesNotMatch", error
        return False
    return True


def gateway(platform: Stack, secret: str) -> bool:
    """The gateway; a message without sense is refused for what it is once the key is known."""
    answer = httpx.post(f"http://127.0.0.1:{platform.port('clinical-data-gateway')}/events", content=b"{", timeout=30,
                        headers={"X-API-Key": secret, "Content-Type": "application/json"})
    return answer.status_code not in (401, 403)


def queue(platform: Stack, user: str, secret: str) -> bool:
    """RabbitMQ, asked by itself: only one of its users may use its page."""
    status, _ = platform.containers()["clinical-mq"].exec_run(["rabbitmqctl", "authenticate_user", user, secret])
    return status == 0


def test_what_was_accepted_meanwhile_is_in_the_lake_once(platform: Stack, changed: Changed) -> None:
    """Every event that a sender was told is safe is in Kafka, and every record of Kafka in bronze, none of them twice."""
    events = Lake(platform)
    safe = {entry.event_id for entry in changed.accepted if entry.kind not in REFUSED}

    def there() -> set[str]:
        return {str(document(record.value).get("event_id")) for record in events.topics(INGRESS, changed.ends).values()}
    wait_until("what was accepted is in Kafka", lambda: safe <= there())
    kafka = events.topics(INGRESS, changed.ends)
    wait_until("everything in Kafka stands in bronze", lambda: kafka.keys() <= events.bronze(changed.ends)[0].keys())
    assert events.bronze(changed.ends)[1] == []
    print(f"\naccepted while secrets changed: {len(changed.accepted)} messages, none lost")


def document(value: bytes | None) -> dict[str, object]:
    """The JSON object that a record holds; an empty one for what is none, as some of the senders' faults are."""
    try:
        found = json.loads(value or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@pytest.mark.parametrize("name", NAMES)
def test_the_new_one_is_let_in_and_the_old_one_is_not(platform: Stack, changed: Changed, name: str) -> None:
    """By the store or the service itself."""
    assert platform.secrets[name] != changed.before[name]
    assert lets_in(platform, name, platform.secrets[name])
    assert not lets_in(platform, name, changed.before[name])


def test_only_named_secrets_and_those_who_use_them_are_new(platform: Stack, markers: Markers, command: Command,
                                                           changed: Changed) -> None:
    """The other secrets and containers are left alone, everything is healthy with its data, and nobody saw a value."""
    assert {name for name, value in platform.secrets.items() if value != changed.before[name]} == set(NAMES)
    users = {"redis", "minio", "postgres-mlflow", "clinical-mq", "clinical-data-gateway", "clinical-data-generator",
             "kafka-consumer", "lab-results-processor"}
    assert users <= changed.renewed
    assert changed.renewed.isdisjoint({"kafka", "zookeeper", "postgres-airflow", "kafka-producer"})
    wait_until("every service is healthy", lambda: platform.unhealthy() == {})
    assert markers.missing() == []
    assert "minio-root is new for the people who use MinIO's console" in changed.told
    printed = files_below(platform.logs)
    assert [name for name in NAMES for value in (platform.secrets[name], changed.before[name]) if value in printed] == []
    command(ALL, "health")
