"""Each rule about one resource fires on a bad one and is silent on a good one."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from pulumi_policy import PolicyCustomTimeouts, PolicyResourceOptions, ResourceValidationArgs
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policies.configuration import LOCAL, write_configuration
from policies.containers import CONTAINER, IMAGE, LOG_READERS
from policies.kafka import ACL, TOPIC
from policies.pack import RULES as EVERY
from policies.rule import Rule, policy
from tests.policies.cases import BAD, GENERATED, GOOD, WEAK

RULES = {rule.name: rule for rule in EVERY if isinstance(rule, Rule)}
UNKNOWN_PLACES = [(kind, key) for kind, props in GOOD.items() for key in props]
LOGS = "/var/lib/docker/containers"
OPTIONS = PolicyResourceOptions(protect=False, ignore_changes=[], delete_before_replace=None, aliases=[],
                                custom_timeouts=PolicyCustomTimeouts(0, 0, 0), additional_secret_outputs=[], parent="")


def arguments(kind: str, changes: dict[str, Any], name: str = "thing", **config: str) -> ResourceValidationArgs:
    """A good resource of that kind with some properties changed, as the engine hands it over."""
    props = {key: value for key, value in {**copy.deepcopy(GOOD[kind]), **changes}.items() if value is not None}
    return ResourceValidationArgs(resource_type=kind, props=unknown_checking_proxy(props), urn=f"urn:pulumi:s::p::{kind}::{name}",
                                  name=name, opts=OPTIONS, provider=None, config=config)


@pytest.mark.parametrize(("rule", "kind", "changes", "word"), BAD, ids=[f"{r}-{w}" for r, _, _, w in BAD])
def test_a_rule_fires_on_a_bad_resource(rule: str, kind: str, changes: dict[str, Any], word: str) -> None:
    """The message names the resource and what is wrong with it, says how to mend it, and repeats no secret."""
    faults = RULES[rule].check(arguments(kind, changes))
    assert len(faults) == 1
    assert faults[0].startswith("thing: ") and word in faults[0]
    assert WEAK not in faults[0] and GENERATED not in faults[0]


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize("kind", sorted(GOOD))
def test_a_rule_is_silent_on_a_good_resource(rule: str, kind: str) -> None:
    """No rule complains of a resource that is as it should be."""
    assert RULES[rule].check(arguments(kind, {})) == []


def test_every_rule_has_a_bad_resource_and_a_name_of_its_own() -> None:
    """A rule that nothing breaks guards nothing, and a name that two share hides one of them."""
    assert {rule for rule, *_ in BAD} == set(RULES)
    names = [rule.name for rule in EVERY]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("kind", "key"), UNKNOWN_PLACES, ids=[f"{k.split(':')[-1]}-{key}" for k, key in UNKNOWN_PLACES])
def test_an_unknown_value_is_no_fault(kind: str, key: str) -> None:
    """What a preview cannot know is not held against a resource, and no rule breaks on it."""
    found = {name: rule.check(arguments(kind, {key: UNKNOWN_STRING_VALUE})) for name, rule in RULES.items()}
    assert found == {name: [] for name in RULES}


@pytest.mark.parametrize(("rule", "changes"), [
    ("secret-named", {"envs": [UNKNOWN_STRING_VALUE, f"ADMIN_PASSWORD={WEAK}"]}),
    ("secret-named", {"command": UNKNOWN_STRING_VALUE, "envs": [f"ADMIN_PASSWORD={WEAK}"]}),
    ("secret-generated", {"labels": [{"label": "a", "value": UNKNOWN_STRING_VALUE}, {"label": "b", "value": GENERATED}]}),
    ("secret-filed", {"uploads": [{"file": "/run/secrets/a", "content": UNKNOWN_STRING_VALUE},
                                  {"file": "/run/secrets/b", "content": ""}]}),
    ("container-bounded", {"memory": UNKNOWN_STRING_VALUE, "cpus": None}),
    ("container-hardened", {"user": UNKNOWN_STRING_VALUE, "readOnly": False, "uploads": None})])
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


@pytest.mark.parametrize(("volumes", "faults"), [
    ([{"hostPath": LOGS, "containerPath": LOGS, "readOnly": True}], 0),
    ([{"hostPath": LOGS, "containerPath": LOGS}], 1),
    ([{"hostPath": LOGS, "readOnly": True}, {"hostPath": LOGS}], 1),
    ([{"hostPath": "/var/lib/docker", "readOnly": True}], 1),
    ([{"hostPath": "/var/run/docker.sock", "readOnly": True}], 1)])
def test_a_reader_of_logs_reads_them_and_nothing_else(volumes: list[dict[str, Any]], faults: int) -> None:
    """The logs of Docker's containers, for reading alone, are all that it sees of the host."""
    for reader in LOG_READERS:
        assert len(RULES["container-separated"].check(arguments(CONTAINER, {"volumes": volumes}, reader))) == faults


def test_a_reader_of_logs_may_be_root() -> None:
    """Docker's log files are root's; without any capability root can do no more than read them."""
    assert RULES["container-hardened"].check(arguments(CONTAINER, {"user": "0:0"}, LOG_READERS[0])) == []


@pytest.mark.parametrize(("allowed", "address", "faults"), [
    ("10.0.0.1", "10.0.0.1", 0), ("10.0.0.1", "127.0.0.1", 0), ("10.0.0.1", "10.0.0.2", 1), ("0.0.0.0", "0.0.0.0", 1)])
def test_a_stack_may_name_one_address(allowed: str, address: str, faults: int) -> None:
    """Ports may leave the loopback address for the one that clinical:bindAddress names, never for all of the machine."""
    ports = {"ports": [{"internal": 80, "external": 80, "ip": address}]}
    assert len(RULES[LOCAL].check(arguments(CONTAINER, ports, bindAddress=allowed))) == faults


@pytest.mark.parametrize("level", ["mandatory", "advisory"])
def test_a_stack_says_how_strict_the_pack_is(tmp_path: Path, level: str) -> None:
    """The file for the engine sets the level of every rule, also of the one that has options of its own."""
    told = json.loads(write_configuration(tmp_path / "new" / "policies.json", level, "10.0.0.1").read_text())
    assert told == {"all": level, LOCAL: {"enforcementLevel": level, "bindAddress": "10.0.0.1"}}
    schema = policy(RULES[LOCAL]).config_schema
    assert schema is not None and set(told[LOCAL]) - {"enforcementLevel"} == set(schema.properties)


def test_a_compacted_topic_needs_no_retention() -> None:
    """The newest record of a key is kept as long as the topic."""
    config = {"cleanup.policy": "compact", "min.insync.replicas": "2"}
    assert RULES["topic-kept"].check(arguments(TOPIC, {"config": config})) == []


def test_a_rule_that_denies_may_be_wide() -> None:
    """Nobody gets anything by it."""
    assert RULES["acl-narrow"].check(arguments(ACL, {"aclPermissionType": "Deny", "aclPrincipal": "User:*"})) == []
