"""Rule: a secret is changed while events flow: what was accepted stays, the old one is refused, the new one is let in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from applications.clinical.models import INGRESS
from applications.clinical.simulation import Entry, FaultKind
from tests.e2e.command import ALL, Command
from tests.e2e.doors import lets_in, secrets_of
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
