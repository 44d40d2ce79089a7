"""Topics, users and rules as the contract has them; images, tasks and argument checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import lock
from components.catalog import IMAGES, Catalog
from components.contracts import Network
from components.infrastructure.tables import BUCKETS, LAKE_USERS
from components.layer import Scope
from components.service import Limits, RunArgs, finished
from components.settings import Platform, State
from tests.unit.components.recorded import platform

DAY = 86_400_000
CONTRACT = {  # name: partitions of dev and prod, retention in days
    "patient-vitals": (6, 24, 7), "lab-results": (3, 12, 30), "medications": (3, 12, 30), "adverse-events": (3, 6, 90),
    "demographics": (3, 6, None), "clinical-alerts": (3, 6, 30), "model-predictions": (3, 12, 90), "dead-letter": (3, 6, 90)}


@pytest.mark.parametrize(("file", "column", "copies", "insync", "factor"), [("dev", 0, 1, 1, 1), ("prod", 1, 3, 2, 2)])
def test_topics_are_those_of_the_contract(file: str, column: int, copies: int, insync: int, factor: int) -> None:
    """Partitions, retention or compaction, replication and min.insync.replicas."""
    topics = {r.inputs["name"]: r.inputs for r in platform(file).of_type("kafka:index/topic:Topic").values()}
    assert set(topics) == set(CONTRACT)
    for name, contract in CONTRACT.items():
        config, days = dict(topics[name]["config"]), contract[2]
        assert topics[name]["partitions"] == contract[column] and topics[name]["replicationFactor"] == copies
        assert config.pop("min.insync.replicas") == str(insync)
        assert config.pop("message.timestamp.type") == "LogAppendTime"  # when the platform took it, whatever a sender says
        assert config == ({"cleanup.policy": "compact"} if days is None else
                          {"cleanup.policy": "delete", "retention.ms": str(days * DAY * factor)})


@pytest.mark.parametrize("user", sorted(LAKE_USERS))
def test_a_lake_user_may_use_its_buckets_and_nothing_else(user: str) -> None:
    """The policy names each bucket of the table with the actions of its column, and no wildcard."""
    document = json.loads(platform().of_type("minio:index/iamPolicy:IamPolicy")[f"{user}-policy"].inputs["policy"])
    allowed: dict[str, set[str]] = {}
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        for resource in statement["Resource"]:
            bucket = resource.removeprefix("arn:aws:s3:::").partition("/")[0]
            allowed.setdefault(bucket, set()).update(statement["Action"])
    access = LAKE_USERS[user]
    assert set(allowed) == {*access.reads, *access.appends, *access.writes} <= set(BUCKETS)
    for bucket, actions in allowed.items():
        assert "s3:GetObject" in actions and "*" not in "".join(actions)
        assert ("s3:PutObject" in actions) is (bucket in (*access.appends, *access.writes))
        assert ("s3:DeleteObject" in actions) is (bucket in access.writes)


def test_each_database_belongs_to_a_bounded_role_and_is_closed_to_others() -> None:
    """Owner, no superuser, a connection limit, and nothing for PUBLIC."""
    graph = platform()
    for name in ("mlflow", "airflow", "scratch"):
        role = graph.of_type("postgresql:index/role:Role")[f"{name}-role"].inputs
        assert role["login"] and role["connectionLimit"] > 0
        assert not (role["superuser"] or role["createRole"] or role["createDatabase"])
        assert graph.of_type("postgresql:index/database:Database")[f"{name}-database"].inputs["owner"] == name
    every = [request.inputs for request in graph.of_type("postgresql:index/grant:Grant").values()]
    grants = [grant for grant in every if grant["role"] == "public"]
    assert sorted(grant["database"] for grant in grants) == ["airflow", "mlflow", *["postgres"] * 2, "scratch", *["template1"] * 2]
    assert all(grant["privileges"] == [] for grant in grants)
    # Whoever measures the servers may connect, and sees what pg_monitor shows.
    assert [(grant["role"], grant["database"], grant["privileges"]) for grant in every if grant not in grants] == [
        ("exporter", "postgres", ["CONNECT"])] * 2
    exporters = [role for name, role in graph.of_type("postgresql:index/role:Role").items() if name.endswith("-exporter-role")]
    assert [(role.inputs["roles"], role.inputs["superuser"]) for role in exporters] == [(["pg_monitor"], False)] * 2


def test_lifecycle_rules_follow_the_settings_and_have_no_prefix() -> None:
    """MinIO ignores rules with an odd prefix, so no rule has one."""
    graph = platform(quarantineDays="12", backupsDays="5", oldVersionsDays="3", airflowLogsDays="4")
    policies = {r.inputs["bucket"]: r.inputs["rules"] for r in graph.of_type("minio:index/ilmPolicy:IlmPolicy").values()}
    assert policies == {"bronze": [{"id": "old-versions", "noncurrentVersionExpirationDays": 3}],
                        "mlflow-artifacts": [{"id": "old-versions", "noncurrentVersionExpirationDays": 3}],
                        "quarantine": [{"id": "expire", "expiration": "12d"}], "backups": [{"id": "rotate", "expiration": "5d"}],
                        "airflow-logs": [{"id": "rotate", "expiration": "4d"}]}


@pytest.mark.parametrize(("mirror", "image", "reference"), [
    (None, "redis", "redis:7.4.5-bookworm"), ("mirror:5000", "redis", "mirror:5000/library/redis:7.4.5-bookworm"),
    ("mirror:5000/hub", "minio", "mirror:5000/hub/minio/minio:RELEASE.2025-09-07T16-13-09Z"),
    ("mirror:5000", "kafka-ui", "mirror:5000/kafbat/kafka-ui:v1.3.0"), (None, "kafka-ui", "ghcr.io/kafbat/kafka-ui:v1.3.0")])
def test_a_mirror_stands_in_for_every_registry(mirror: str | None, image: str, reference: str) -> None:
    """The path stays; library/ is added, a registry's host dropped."""
    assert Catalog("p", "pull", mirror).reference(image) == reference


def test_a_locked_image_has_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make lock` pins what is pulled, whatever the mirror."""
    file = tmp_path / "images.lock.json"
    file.write_text(json.dumps({"redis:7.4.5-bookworm": "sha256:abc"}))
    monkeypatch.setattr(lock, "LOCK_FILE", file)
    lock._locked.cache_clear()
    assert Catalog("p", "pull", "m:1").reference("redis") == "m:1/library/redis:7.4.5-bookworm@sha256:abc"
    monkeypatch.undo()
    lock._locked.cache_clear()


def test_what_cannot_be_built_is_replaced_or_left_out_and_said() -> None:
    """A `build` stack says what it does without; a `pull` stack has everything."""
    build, pull = Catalog("p", "build"), Catalog("p", "pull")
    assert build.choose("redis-insight") == "redis-commander" and build.choose("kafka-ui") is None
    assert set(build.left_out) == {"redis-insight", "kafka-ui"}
    assert [pull.choose(name) for name in ("redis-insight", "kafka-ui")] == ["redis-insight", "kafka-ui"] and not pull.left_out
    unwanted = Catalog("p", "pull", unwanted=["kafka-ui"])
    assert unwanted.choose("kafka-ui") is None and "leaveOut" in unwanted.left_out["kafka-ui"]


def test_every_pulled_image_has_a_full_version_and_every_other_a_folder() -> None:
    """No image is `latest`, none has no source."""
    for name, image in IMAGES.items():
        assert image.folder or (image.repository and image.tag), name
        assert image.tag is None or (image.tag != "latest" and any(c == "." or c == "-" for c in image.tag)), name


def test_a_task_that_fails_stops_what_comes_after_with_its_last_lines() -> None:
    """Docker's provider calls such a task a success."""
    assert finished("migrate", 0, "done") == "done"
    with pytest.raises(pulumi.RunError, match="migrate: the task ended with exit status 3") as error:
        finished("migrate", 3, "\n".join(f"line {i}" for i in range(50)))
    assert "line 49" in str(error.value) and "line 10\n" not in str(error.value)


@pytest.mark.parametrize(("change", "message"), [
    ({"command": []}, "a command is needed"), ({"files": {"/etc/redis.conf": "x"}}, "/etc/redis.conf must stand in /run/config")])
def test_arguments_are_checked_before_anything_is_registered(change: dict[str, Any], message: str) -> None:
    """A wrong argument is an error of the program, found at once."""
    scope = Scope(project="p", stack="s", layer="l", state=State.RUNNING, platform=Platform(), catalog=Catalog("p", "build"))
    given: dict[str, Any] = {"scope": scope, "network": Network(name="n"), "image": "redis", "command": ["redis-server"],
                             "limits": Limits(memory_mb=64)}
    with pytest.raises(ValueError, match=message):
        RunArgs(**{**given, **change})
