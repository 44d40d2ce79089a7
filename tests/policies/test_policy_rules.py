"""Each rule of the policy pack fires on a bad resource and is silent on a good one."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from pulumi_policy import PolicyResourceOptions, ResourceValidationArgs

from policies.containers import CONTAINER, CONTAINER_RULES, IMAGE
from policies.data import BUCKET, BUCKET_POLICY, DATA_RULES, ROLE, TOPIC, VOLUME
from policies.secrets import SECRET_RULES

RULES = {rule.name: rule for rule in (*CONTAINER_RULES, *SECRET_RULES, *DATA_RULES)}
OPTIONS = PolicyResourceOptions(protect=False, ignore_changes=[], delete_before_replace=None, aliases=[], custom_timeouts=None,
                                additional_secret_outputs=[], parent="")

GOOD: dict[str, dict[str, Any]] = {
    CONTAINER: {
        "image": "sha256:0", "user": "1000:1000", "memory": 256, "memorySwap": 256, "cpus": "1.0", "readOnly": True,
        "ulimits": [{"name": "nproc", "soft": 100, "hard": 100}], "logOpts": {"max-size": "10m", "max-file": "3"},
        "capabilities": {"drops": ["ALL"], "adds": []}, "securityOpts": ["no-new-privileges:true"],
        "healthcheck": {"tests": ["CMD", "true"]}, "ports": [{"internal": 80, "external": 8080, "ip": "127.0.0.1"}],
        "envs": ["HOME=/tmp", "DB_PASSWORD_FILE=/run/secrets/password", "JAVA_OPTS=-Xms64m -Xmx128m"],
        "command": ["serve", "--config", "/run/config/server.properties"], "entrypoints": ["serve"],
        "volumes": [{"volumeName": "data", "containerPath": "/data"}],
        "labels": [{"label": f"clinical.{key}", "value": key} for key in ("project", "stack", "layer", "service")]},
    IMAGE: {"name": "postgres:15.14-bookworm"},
    VOLUME: {"name": "v", "labels": [{"label": "clinical.stack", "value": "s"}, {"label": "clinical.layer", "value": "l"}]},
    BUCKET: {"bucket": "bronze", "acl": "private"},
    BUCKET_POLICY: {"bucket": "bronze", "policy": json.dumps({"Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/spark"]}, "Action": "s3:GetObject"}]})},
    TOPIC: {"name": "t", "config": {"retention.ms": "1000", "min.insync.replicas": "2"}},
    ROLE: {"name": "mlflow", "connectionLimit": 20, "superuser": False},
}
GENERATED = "3f9a1c77d2e84b06a5c1f0e92b7d4c58"
BAD: list[tuple[str, str, dict[str, Any], str]] = [
    ("image-pinned", IMAGE, {"name": "postgres"}, "not pinned"),
    ("image-pinned", IMAGE, {"name": "postgres:latest"}, "not pinned"),
    ("container-watched", CONTAINER, {"healthcheck": None}, "no health check"),
    ("container-bounded", CONTAINER, {"memory": None}, "memory limit"),
    ("container-bounded", CONTAINER, {"memorySwap": 512}, "swaps"),
    ("container-bounded", CONTAINER, {"cpus": None}, "processor limit"),
    ("container-bounded", CONTAINER, {"ulimits": []}, "processes"),
    ("container-bounded", CONTAINER, {"logOpts": {}}, "rotated"),
    ("container-hardened", CONTAINER, {"privileged": True}, "privileged"),
    ("container-hardened", CONTAINER, {"capabilities": None}, "drop ALL"),
    ("container-hardened", CONTAINER, {"capabilities": {"drops": ["ALL"], "adds": ["CAP_SYS_ADMIN"]}}, "SYS_ADMIN"),
    ("container-hardened", CONTAINER, {"securityOpts": []}, "no-new-privileges"),
    ("container-hardened", CONTAINER, {"user": "0:0"}, "root"),
    ("container-hardened", CONTAINER, {"user": None}, "root"),
    ("container-hardened", CONTAINER, {"readOnly": False}, "readOnly"),
    ("container-separated", CONTAINER, {"networkMode": "host"}, "networkMode"),
    ("container-separated", CONTAINER, {"pidMode": "host"}, "pidMode"),
    ("container-separated", CONTAINER, {"volumes": [{"hostPath": "/var/run/docker.sock"}]}, "Docker's socket"),
    ("container-separated", CONTAINER, {"volumes": [{"hostPath": "/etc"}]}, "/etc"),
    ("container-local", CONTAINER, {"ports": [{"internal": 80, "external": 80}]}, "0.0.0.0"),
    ("container-local", CONTAINER, {"ports": [{"internal": 80, "external": 80, "ip": "10.0.0.1"}]}, "10.0.0.1"),
    ("container-labelled", CONTAINER, {"labels": []}, "clinical.layer"),
    ("secret-named", CONTAINER, {"envs": ["REDIS_PASSWORD=hunter2"]}, "REDIS_PASSWORD"),
    ("secret-named", CONTAINER, {"envs": ["AWS_SECRET_ACCESS_KEY=abc"]}, "AWS_SECRET_ACCESS_KEY"),
    ("secret-generated", CONTAINER, {"envs": [f"THING={GENERATED}"]}, "environment"),
    ("secret-generated", CONTAINER, {"command": [f"--pass={GENERATED}"]}, "command"),
    ("secret-generated", CONTAINER, {"labels": [{"label": "a", "value": GENERATED}]}, "labels"),
    ("volume-named", VOLUME, {"name": None}, "no name"),
    ("volume-named", VOLUME, {"labels": []}, "whose"),
    ("bucket-private", BUCKET, {"acl": "public-read"}, "public-read"),
    ("bucket-private", BUCKET, {"forceDestroy": True}, "forceDestroy"),
    ("bucket-private", BUCKET_POLICY, {"policy": '{"Statement": [{"Effect": "Allow", "Principal": "*"}]}'}, "everybody"),
    ("bucket-private", BUCKET_POLICY, {"policy": '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["*"]}}]}'}, "everybody"),
    ("topic-kept", TOPIC, {"config": {"min.insync.replicas": "1"}}, "retention.ms"),
    ("topic-kept", TOPIC, {"config": {"cleanup.policy": "compact"}}, "min.insync"),
    ("role-bounded", ROLE, {"superuser": True}, "superuser"),
    ("role-bounded", ROLE, {"connectionLimit": -1}, "connectionLimit"),
]


def arguments(kind: str, changes: dict[str, Any]) -> ResourceValidationArgs:
    """A good resource of that kind with some properties changed."""
    props = {key: value for key, value in {**copy.deepcopy(GOOD[kind]), **changes}.items() if value is not None}
    return ResourceValidationArgs(resource_type=kind, props=props, urn=f"urn:pulumi:s::p::{kind}::thing", name="thing",
                                  opts=OPTIONS, provider=None)


@pytest.mark.parametrize(("rule", "kind", "changes", "word"), BAD, ids=[f"{r}-{w}" for r, _, _, w in BAD])
def test_a_rule_fires_on_a_bad_resource(rule: str, kind: str, changes: dict[str, Any], word: str) -> None:
    """The message names the resource and what is wrong with it."""
    faults = RULES[rule].check(arguments(kind, changes))
    assert len(faults) == 1
    assert faults[0].startswith("thing: ") and word in faults[0]


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize("kind", sorted(GOOD))
def test_a_rule_is_silent_on_a_good_resource(rule: str, kind: str) -> None:
    """No rule complains of a resource that is as it should be."""
    assert RULES[rule].check(arguments(kind, {})) == []


def test_every_rule_has_a_bad_resource() -> None:
    """A rule that nothing breaks guards nothing."""
    assert {rule for rule, *_ in BAD} == set(RULES)


def test_a_task_needs_no_health_check() -> None:
    """What runs to its end is judged by its exit status."""
    assert RULES["container-watched"].check(arguments(CONTAINER, {"healthcheck": None, "mustRun": False})) == []


def test_uploads_excuse_a_writable_root() -> None:
    """Docker uploads nothing into a read-only root file system."""
    changes = {"readOnly": False, "uploads": [{"file": "/run/config/x", "content": "x"}]}
    assert RULES["container-hardened"].check(arguments(CONTAINER, changes)) == []
