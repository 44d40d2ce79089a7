"""Dev and prod, pulled and built, previewed by the real engine with the policies, while nothing of the platform runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from components.settings import comes_after, layer_kinds
from tests.e2e.stack import TREE, Stack

CONTAINER, VOLUME = "docker:index/container:Container", "docker:index/volume:Volume"
BUCKET, TOPIC = "minio:index/s3Bucket:S3Bucket", "kafka:index/topic:Topic"
OFFSET = 21_000
PACK = ("--policy-pack", str(TREE / "policies"))
# services of a stack: single ones, ZooKeeper nodes, brokers, Spark workers, and the page that only pulled images have
CONTAINERS = {("dev", "build"): 36, ("dev", "pull"): 39, ("prod", "build"): 41, ("prod", "pull"): 44}


def flat(value: Any, path: str = "") -> dict[str, str]:
    """The settings of a stack file, or one of them, as paths (`layers.storage`, `leaveOut[0]`) and texts."""
    if isinstance(value, dict):
        inner = {f"{path}.{key}" if path else key.removeprefix("clinical:"): below for key, below in value.items()}
    elif isinstance(value, list):
        inner = {f"{path}[{index}]": below for index, below in enumerate(value)}
    else:
        return {path: str(value).lower() if isinstance(value, bool) else str(value)}
    return {name: text for key, below in inner.items() for name, text in flat(below, key).items()}


class Previews:
    """Scratch stacks with the settings of a committed stack file, and the engine's plan for them."""

    def __init__(self) -> None:
        self.client = docker.from_env(timeout=60)
        self.stacks: list[Stack] = []

    def stack(self, file: str, **settings: str) -> Stack:
        """A stack with the settings of Pulumi.`file`.yaml and some of its own."""
        given = flat(yaml.safe_load((TREE / f"Pulumi.{file}.yaml").read_text())["config"])
        kept = {key: value for key, value in given.items() if key != "images" and not key.startswith("secrets.")}
        kept |= {f"layers.{layer}": "running" for layer in layer_kinds()}  # whatever an operator switched off here
        self.stacks.append(Stack(file, OFFSET, self.client, {**kept, **settings}, prefix="preview-"))
        return self.stacks[-1]

    def plan(self, stack: Stack) -> list[dict[str, Any]]:
        """The resources that the engine would create; fails when a policy is broken."""
        text = self.shown(stack, "--json")
        steps: list[dict[str, Any]] = json.loads(text[text.index("{"):text.rindex("}") + 1])["steps"]
        return [step["newState"] for step in steps]

    def shown(self, stack: Stack, *options: str) -> str:
        """What a preview with the policies prints; none of the stack's secrets is in it."""
        text = stack.pulumi("preview", *options, *PACK)
        assert not any(secret in text for secret in stack.secrets.values()), "a secret stands in the preview"
        return text


@pytest.fixture(scope="module")
def previews() -> Iterator[Previews]:
    """Scratch stacks, removed at the end."""
    found = Previews()
    yield found
    for stack in found.stacks:
        stack.remove()


def of_type(plan: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The resources of one type."""
    return [resource for resource in plan if resource["type"] == kind]


@pytest.mark.parametrize(("file", "images"), sorted(CONTAINERS))
def test_stack_previews_and_keeps_the_policies(previews: Previews, file: str, images: str) -> None:
    """Both stack files preview with pulled and with built images, and no policy is broken."""
    plan = previews.plan(previews.stack(file, images=images))
    assert len(of_type(plan, CONTAINER)) == CONTAINERS[file, images]
    assert len(of_type(plan, BUCKET)) == 8
    assert len(of_type(plan, TOPIC)) == 8
    protected = {resource["urn"] for kind in (VOLUME, BUCKET) for resource in of_type(plan, kind) if resource.get("protect")}
    assert len(protected) == (len(of_type(plan, VOLUME)) + 8 if file == "prod" else 0)
    layers = {r["urn"].rpartition("::")[2]: r for r in plan if r["type"].startswith("clinical:layer:")}
    for name in layer_kinds():
        needed = {urn.split("$")[0].rpartition(":")[2].lower() for urn in layers[name].get("dependencies", [])
                  if "clinical:layer:" in urn}
        assert needed == set(comes_after(name)), name
    order = [layer for resource in plan for layer in layers if f"clinical:layer:{layer.capitalize()}$" in resource["urn"]]
    assert set(order) == set(layers)
    for name in layer_kinds():
        assert not set(order[order.index(name):]) & set(comes_after(name)), f"{name} begins before what it needs is declared"


def test_the_detailed_preview_shows_no_secret_and_every_rule_was_asked(previews: Previews) -> None:
    """`preview --diff` prints each property, and neither a secret, nor a broken rule, nor one that could not be run."""
    text = previews.shown(previews.stack("dev", images="build"), "--diff")
    assert "docker:index/container:Container" in text and "clinical-mlops/redis:" in text
    assert "advisory" not in text and "mandatory" not in text and "can't run policy" not in text


def test_kraft_needs_no_zookeeper(previews: Previews) -> None:
    """With clinical:kafkaMode kraft there is no ZooKeeper."""
    plan = previews.plan(previews.stack("dev", images="build", kafkaMode="kraft"))
    names = {resource["urn"].rpartition("::")[2] for resource in of_type(plan, CONTAINER)}
    assert "kafka" in names and not any("zookeeper" in name for name in names)


def test_a_stopped_layer_keeps_its_data_and_has_no_container(previews: Previews) -> None:
    """`stopped` takes away containers alone."""
    layers = {f"layers.{layer}": "stopped" for layer in layer_kinds()}
    plan = previews.plan(previews.stack("dev", images="build", **layers))
    assert of_type(plan, CONTAINER) == []
    assert len(of_type(plan, BUCKET)) == 8 and len(of_type(plan, VOLUME)) == 21


def test_an_absent_layer_has_neither(previews: Previews) -> None:
    """`absent` takes away the data, too, and leaves the layers' records."""
    layers = {f"layers.{layer}": "absent" for layer in layer_kinds()}
    plan = previews.plan(previews.stack("dev", images="build", **layers))
    assert {resource["type"].split(":")[0] for resource in plan} <= {"pulumi", "clinical"}
    assert len(of_type(plan, "pulumi:index:Stash")) == len(layer_kinds())


def test_a_wrong_configuration_ends_with_every_fault_and_registers_nothing(previews: Previews) -> None:
    """All faults stand in one message, each with its key; there is no traceback."""
    text = previews.stack("dev", kafkaMod="kraft", kafkaBrokers="none", zookeeperNodes="2").pulumi("preview", fails=True)
    for words in ("has 3 faults", "clinical:kafkaMod: no setting has this name; did you mean kafkaMode?",
                  "clinical:kafkaBrokers:", "clinical:zookeeperNodes:"):
        assert words in text
    assert "Traceback" not in text and "docker:index" not in text


BAD_CONTAINER = """
import pulumi
import pulumi_docker as docker
peer = docker.Network("peer", name="peer")
docker.Container("bad", name="bad", image="redis:latest", ports=[docker.ContainerPortArgs(internal=1, ip="0.0.0.0")],
                 envs=[pulumi.Output.concat("PEER=", peer.id), "ADMIN_PASSWORD=hunter2"])
"""
HALF_PROTECTED = """
import pulumi
import pulumi_docker as docker
labels = [docker.VolumeLabelArgs(label=f"clinical.{key}", value=key) for key in ("project", "stack", "layer", "service")]
docker.Volume("kept", name="kept", labels=labels, opts=pulumi.ResourceOptions(protect=True))
docker.Volume("bad", name="bad", labels=labels)
"""
REFUSALS = {
    "container": (BAD_CONTAINER, ("bad: the image redis:latest is not pinned", "bad: port 1 is published on 0.0.0.0",
                                  "bad: ADMIN_PASSWORD in its environment holds a secret", "bad: there is no health check",
                                  "bad: it runs as root", "bad: there is no memory limit", "peer: the labels")),
    "stack": (HALF_PROTECTED, ("bad: it is not protected",)),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_bad_resource_is_refused_by_the_pack(tmp_path: Path, previews: Previews, case: str) -> None:
    """The pack is mandatory: a bad program does not preview, and each message says what is wrong, though a value is unknown."""
    program, messages = REFUSALS[case]
    stack = previews.stack("dev", images="build", policies="mandatory")
    (tmp_path / "__main__.py").write_text(program)
    project = yaml.safe_load((stack.folder / "Pulumi.yaml").read_text())
    (stack.folder / "Pulumi.yaml").write_text(yaml.safe_dump({**project, "main": str(tmp_path)}))
    text = stack.pulumi("preview", *PACK, fails=True)
    assert "[mandatory]" in text
    assert [message for message in messages if message not in text] == []
    assert "hunter2" not in text
    stack.pulumi("preview", "--json", *PACK, fails=True)
