"""Each rule of the policy pack fires on a bad resource and is silent on a good one."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from pulumi_policy import (
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    StackValidationArgs,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policies.containers import CONTAINER, CONTAINER_RULES, IMAGE, NETWORK, VOLUME
from policies.data import BUCKET, BUCKET_POLICY, DATA_RULES, ROLE, TOPIC
from policies.rule import Rule, StackRule
from policies.secrets import SECRET_RULES

EVERY = (*CONTAINER_RULES, *SECRET_RULES, *DATA_RULES)
RULES = {rule.name: rule for rule in EVERY if isinstance(rule, Rule)}
STACK_RULES = {rule.name: rule for rule in EVERY if isinstance(rule, StackRule)}

GOOD: dict[str, dict[str, Any]] = {
    CONTAINER: {
        "image": "sha256:0", "user": "1000:1000", "memory": 256, "memorySwap": 256, "cpus": "1.0", "readOnly": True,
        "ulimits": [{"name": "nproc", "soft": 100, "hard": 100}], "logOpts": {"max-size": "10m", "max-file": "3"},
        "capabilities": {"drops": ["ALL"], "adds": []}, "securityOpts": ["no-new-privileges:true"],
        "healthcheck": {"tests": ["CMD", "sh", "-c", 'AUTH="$(cat /run/secrets/password)" ping --password "$AUTH"']},
        "ports": [{"internal": 80, "external": 8080, "ip": "127.0.0.1"}],
        "envs": ["HOME=/tmp", "DB_PASSWORD_FILE=/run/secrets/password", "JAVA_OPTS=-Xms64m -Xmx128m",
                 "API_TOKEN=/run/secrets/token", "TOKEN_TTL=3600", "AWS_ACCESS_KEY_ID=spark", "URL=http://user@host:80/path"],
        "command": ["serve", "--config", "/run/config/server.properties", "--secret", "/run/secrets/key", "--token", "--all"],
        "entrypoints": ["serve"],
        "volumes": [{"volumeName": "data", "containerPath": "/data"}],
        "labels": [{"label": f"clinical.{key}", "value": key} for key in ("project", "stack", "layer", "service")]},
    IMAGE: {"name": "postgres:15.14-bookworm"},
    NETWORK: {"name": "n", "labels": [{"label": f"clinical.{key}", "value": key} for key in ("project", "stack", "layer")]},
    VOLUME: {"name": "v", "labels": [{"label": f"clinical.{key}", "value": key}
                                     for key in ("project", "stack", "layer", "service")]},
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
    ("image-pinned", IMAGE, {"name": "postgres:15"}, "not pinned"),
    ("image-pinned", IMAGE, {"name": "postgres:15-bookworm"}, "not pinned"),
    ("image-pinned", IMAGE, {"name": "registry.example:5000/postgres"}, "not pinned"),
    ("image-pinned", CONTAINER, {"image": "redis:latest"}, "not pinned"),
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
    ("container-separated", CONTAINER, {"mounts": [{"type": "bind", "source": "/srv", "target": "/x"}]}, "/srv"),
    ("container-separated", CONTAINER, {"devices": [{"hostPath": "/dev/kvm"}]}, "/dev/kvm"),
    ("container-local", CONTAINER, {"ports": [{"internal": 80, "external": 80}]}, "port 80 is published on 0.0.0.0"),
    ("container-local", CONTAINER, {"ports": [{"internal": 80, "external": 80, "ip": "no address"}]}, "no address"),
    ("container-local", CONTAINER, {"ports": [{"internal": 80, "external": 80, "ip": "10.0.0.1"}]}, "10.0.0.1"),
    ("labelled", CONTAINER, {"labels": []}, "clinical.layer"),
    ("labelled", VOLUME, {"labels": [{"label": "clinical.stack", "value": "s"}]}, "clinical.project"),
    ("labelled", NETWORK, {"labels": []}, "clinical.stack"),
    ("secret-named", CONTAINER, {"envs": ["REDIS_PASSWORD=hunter2"]}, "REDIS_PASSWORD"),
    ("secret-named", CONTAINER, {"envs": ["AWS_SECRET_ACCESS_KEY=abc"]}, "AWS_SECRET_ACCESS_KEY"),
    ("secret-named", CONTAINER, {"envs": ["FERNET_KEY=abc"]}, "FERNET_KEY"),
    ("secret-named", CONTAINER, {"envs": ["PASSWORD=/hunter2"]}, "PASSWORD"),
    ("secret-named", CONTAINER, {"command": ["--http-auth-password=hunter2"]}, "--http-auth-password in its command"),
    ("secret-named", CONTAINER, {"command": ["--requirepass", "hunter2"]}, "--requirepass"),
    ("secret-named", CONTAINER, {"entrypoints": ["java", "-Dstore.password=hunter2"]}, "entrypoint"),
    ("secret-named", CONTAINER, {"healthcheck": {"tests": ["CMD-SHELL", "ping --password hunter2"]}}, "health check"),
    ("secret-named", CONTAINER, {"labels": [{"label": "api-token", "value": "hunter2"}]}, "api-token in its labels"),
    ("secret-named", CONTAINER, {"envs": ["DSN=postgres://airflow:hunter2@db/airflow"]}, "address with a password"),
    ("secret-generated", CONTAINER, {"healthcheck": {"tests": ["CMD", f"x{GENERATED}"]}}, "health check"),
    ("secret-generated", CONTAINER, {"envs": [f"THING={GENERATED}"]}, "environment"),
    ("secret-generated", CONTAINER, {"command": [f"--pass={GENERATED}"]}, "command"),
    ("secret-generated", CONTAINER, {"labels": [{"label": "a", "value": GENERATED}]}, "labels"),
    ("volume-named", VOLUME, {"name": None}, "no name"),
    ("bucket-private", BUCKET, {"acl": "public-read"}, "public-read"),
    ("bucket-private", BUCKET, {"forceDestroy": True}, "forceDestroy"),
    ("bucket-private", BUCKET_POLICY, {"policy": '{"Statement": [{"Effect": "Allow", "Principal": "*"}]}'}, "everybody"),
    ("bucket-private", BUCKET_POLICY, {"policy": '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["*"]}}]}'}, "everybody"),
    ("topic-kept", TOPIC, {"config": {"min.insync.replicas": "1"}}, "retention.ms"),
    ("topic-kept", TOPIC, {"config": {"cleanup.policy": "compact"}}, "min.insync"),
    ("role-bounded", ROLE, {"superuser": True}, "superuser"),
    ("role-bounded", ROLE, {"connectionLimit": -1}, "connectionLimit"),
]


UNKNOWN_PLACES = [(kind, key) for kind, props in GOOD.items() for key in props]


def options(protect: bool) -> PolicyResourceOptions:
    """The options of a resource that is protected or not."""
    return PolicyResourceOptions(protect=protect, ignore_changes=[], delete_before_replace=None, aliases=[],
                                 custom_timeouts=PolicyCustomTimeouts(0, 0, 0), additional_secret_outputs=[], parent="")


def arguments(kind: str, changes: dict[str, Any]) -> ResourceValidationArgs:
    """A good resource of that kind with some properties changed, as the engine hands it over."""
    props = {key: value for key, value in {**copy.deepcopy(GOOD[kind]), **changes}.items() if value is not None}
    return ResourceValidationArgs(resource_type=kind, props=unknown_checking_proxy(props), urn=f"urn:pulumi:s::p::{kind}::thing",
                                  name="thing", opts=options(False), provider=None)


def stack_of(*resources: tuple[str, bool]) -> StackValidationArgs:
    """A stack of resources, each of a type and protected or not, named a, b, c …"""
    return StackValidationArgs([
        PolicyResource(kind, {}, f"urn:pulumi:s::p::{kind}::{name}", name, options(protect), None, None, [], {})
        for name, (kind, protect) in zip("abcdef", resources, strict=False)])


@pytest.mark.parametrize(("rule", "kind", "changes", "word"), BAD, ids=[f"{r}-{w}" for r, _, _, w in BAD])
def test_a_rule_fires_on_a_bad_resource(rule: str, kind: str, changes: dict[str, Any], word: str) -> None:
    """The message names the resource and what is wrong with it, and repeats no secret."""
    faults = RULES[rule].check(arguments(kind, changes))
    assert len(faults) == 1
    assert faults[0].startswith("thing: ") and word in faults[0]
    assert "hunter2" not in faults[0] and GENERATED not in faults[0]


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize("kind", sorted(GOOD))
def test_a_rule_is_silent_on_a_good_resource(rule: str, kind: str) -> None:
    """No rule complains of a resource that is as it should be."""
    assert RULES[rule].check(arguments(kind, {})) == []


def test_every_rule_has_a_bad_resource() -> None:
    """A rule that nothing breaks guards nothing."""
    assert {rule for rule, *_ in BAD} == set(RULES)


@pytest.mark.parametrize(("kind", "key"), UNKNOWN_PLACES, ids=[f"{k.split(':')[-1]}-{key}" for k, key in UNKNOWN_PLACES])
def test_an_unknown_value_is_no_fault(kind: str, key: str) -> None:
    """What a preview cannot know is not held against a resource, and no rule breaks on it."""
    found = {name: rule.check(arguments(kind, {key: UNKNOWN_STRING_VALUE})) for name, rule in RULES.items()}
    assert found == {name: [] for name in RULES}


@pytest.mark.parametrize(("rule", "changes"), [
    ("secret-named", {"envs": [UNKNOWN_STRING_VALUE, "ADMIN_PASSWORD=hunter2"]}),
    ("secret-named", {"command": UNKNOWN_STRING_VALUE, "envs": ["ADMIN_PASSWORD=hunter2"]}),
    ("secret-generated", {"labels": [{"label": "a", "value": UNKNOWN_STRING_VALUE}, {"label": "b", "value": GENERATED}]}),
    ("container-bounded", {"memory": UNKNOWN_STRING_VALUE, "cpus": None}),
    ("container-hardened", {"user": UNKNOWN_STRING_VALUE, "readOnly": False})])
def test_an_unknown_value_hides_no_other_fault(rule: str, changes: dict[str, Any]) -> None:
    """A fault beside an unknown value is found in the preview already."""
    assert len(RULES[rule].check(arguments(CONTAINER, changes))) == 1


@pytest.mark.parametrize("name", [
    "minio/minio:RELEASE.2025-09-07T16-13-09Z", "registry.example:5000/redis:7.4.5-bookworm", "ghcr.io/kafbat/kafka-ui:v1.3.0",
    "clinical-mlops/kafka:0a1b2c3d4e5f", f"redis@sha256:{'ab' * 32}", f"redis:7@sha256:{'ab' * 32}"])
def test_every_way_to_pin_an_image_counts(name: str) -> None:
    """Full version tags, digests and content hashes are exact."""
    assert RULES["image-pinned"].check(arguments(IMAGE, {"name": name})) == []


def test_a_task_needs_no_health_check() -> None:
    """What runs to its end is judged by its exit status; what Docker restarts is a service, whatever else it says."""
    changes = {"healthcheck": None, "mustRun": False}
    assert RULES["container-watched"].check(arguments(CONTAINER, {**changes, "restart": "no"})) == []
    assert len(RULES["container-watched"].check(arguments(CONTAINER, {**changes, "restart": "always"}))) == 1


def test_uploads_excuse_a_writable_root() -> None:
    """Docker uploads nothing into a read-only root file system."""
    changes = {"readOnly": False, "uploads": [{"file": "/run/config/x", "content": "x"}]}
    assert RULES["container-hardened"].check(arguments(CONTAINER, changes)) == []


def test_a_half_protected_stack_is_refused() -> None:
    """Where one store is protected, each unprotected volume and bucket is named; other resources need no protection."""
    rule = STACK_RULES["data-protected"]
    faults = rule.check(stack_of((VOLUME, True), (VOLUME, False), (BUCKET, False), (CONTAINER, False)))
    assert [(urn.rpartition("::")[2], fault.split(":")[0]) for urn, fault in faults] == [("b", "b"), ("c", "c")]


@pytest.mark.parametrize("protect", [True, False])
def test_a_stack_may_be_protected_or_not(protect: bool) -> None:
    """All protected, or none, is a decision; only the mixture is a mistake."""
    assert STACK_RULES["data-protected"].check(stack_of((VOLUME, protect), (BUCKET, protect), (CONTAINER, False))) == []
