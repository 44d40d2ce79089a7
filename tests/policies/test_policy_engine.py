"""One bad resource a rule, in a program that the real engine previews with the real plugins: each is refused with its message."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from operations.faults import OperationError
from operations.pr.plans import TREE, pulumi
from policies.configuration import write_configuration
from policies.containers import CONTAINER, VOLUME
from policies.data import BUCKET, BUCKET_POLICY
from policies.databases import DATABASE, GRANT
from policies.kafka import ACL, TOPIC
from policies.pack import RULES
from tests.policies.cases import BAD, GENERATED, GOOD, WEAK

NEEDED: dict[str, dict[str, Any]] = {
    # what the plugins ask for besides, before a policy is asked
    CONTAINER: {"name": "c"}, TOPIC: {"partitions": 1}, GRANT: {"database": "d", "objectType": "database"},
    BUCKET_POLICY: {"bucket": "b"}, ACL: {"aclResourceType": "Topic", "aclHost": "*"}}
BETWEEN: list[tuple[str, str, dict[str, Any], bool]] = [
    # One store is protected and the rest is not; the bucket has neither versions nor a lifecycle, the topic one copy, the
    # database no role.
    (VOLUME, "kept", GOOD[VOLUME], True), (BUCKET, "open", {"bucket": "bronze", "acl": "private"}, False),
    (TOPIC, "single", {**GOOD[TOPIC], "partitions": 1, "replicationFactor": 1}, False),
    (DATABASE, "nobodys", {"name": "d", "owner": "postgres"}, False)]
NOWHERE = "127.0.0.1:9"
PROVIDERS = {
    # A preview asks no server, so that there need not be any.
    "kafka:bootstrapServers": [NOWHERE], "kafka:tlsEnabled": False, "minio:minioServer": NOWHERE, "minio:minioUser": "nobody",
    "minio:minioPassword": GENERATED, "postgresql:host": "127.0.0.1", "postgresql:port": 9, "postgresql:sslmode": "disable"}
PROGRAM = """
import json
import pulumi

for kind, name, props, protect in json.load(open("resources.json")):
    pulumi.CustomResource(kind, name, props, pulumi.ResourceOptions(protect=protect))


class Layer(pulumi.ComponentResource):
    def __init__(self, kind, name):
        super().__init__(f"clinical:layer:{kind}", name)


ml, infrastructure = Layer("Ml", "ml"), Layer("Infrastructure", "infrastructure")
above = pulumi.Stash("above", input="x", opts=pulumi.ResourceOptions(parent=ml))
pulumi.Stash("below", input=above.output, opts=pulumi.ResourceOptions(parent=infrastructure))
"""


def resources() -> list[tuple[str, str, dict[str, Any], bool]]:
    """The first bad resource of each rule about one, under the rule's name, and what the rules between resources look at."""
    first = {rule: (kind, changes) for rule, kind, changes, _ in reversed(BAD)}
    return [*((kind, rule, {k: v for k, v in {**NEEDED.get(kind, {}), **GOOD[kind], **changes}.items() if v is not None}, False)
              for rule, (kind, changes) in first.items()), *BETWEEN]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the bad program and a scratch state."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "state").mkdir()
    runtime = {"name": "python", "options": {"virtualenv": str(TREE / ".venv")}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "bad", "runtime": runtime}))
    (folder / "__main__.py").write_text(PROGRAM)
    (folder / "resources.json").write_text(json.dumps(resources()))
    pulumi(["stack", "init", "bad"], folder)
    file = folder / "Pulumi.bad.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "config": PROVIDERS}))
    return folder


def preview(project: Path, *options: str) -> str:
    """What a preview with the pack prints."""
    return pulumi(["preview", "--stack", "bad", "--policy-pack", str(TREE / "policies"), *options], project)


def broken(text: str, level: str) -> set[str]:
    """The rules that a preview names as broken at that level."""
    return set(re.findall(rf"\[{level}\]\s+([a-z-]+)", text))


def test_every_rule_refuses_its_bad_resource(project: Path) -> None:
    """The preview fails, names each rule, and repeats no secret; the message names the resource."""
    with pytest.raises(OperationError) as refused:
        preview(project)
    text = str(refused.value)
    assert broken(text, "mandatory") == {rule.name for rule in RULES}
    lines = [line.strip() for line in text.splitlines()]
    assert [rule for rule, *_ in BAD if not any(line.startswith(f"{rule}: ") for line in lines)] == []
    for message in ("open: it is not protected", "open: bronze keeps no versions", "open: bronze has no lifecycle",
                    "single: the topic has one copy", "nobodys: no role of this stack owns", "kept: it is in no layer",
                    "below: it is in infrastructure and depends on ml"):
        assert any(line.startswith(message) for line in lines), message
    assert WEAK not in text and GENERATED not in text


def test_an_advisory_stack_is_told_and_goes_on(project: Path, tmp_path: Path) -> None:
    """The same faults, reported, and the preview succeeds."""
    told = write_configuration(tmp_path / "policies.json", "advisory", "127.0.0.1")
    text = preview(project, "--policy-pack-config", str(told))
    assert broken(text, "advisory") == {rule.name for rule in RULES} and broken(text, "mandatory") == set()
