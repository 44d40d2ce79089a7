"""Dev and prod, pulled and built, previewed by the real engine with the policies, while nothing of the platform runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from components.settings import layer_kinds
from tests.e2e.stack import TREE, Stack

CONTAINER, VOLUME = "docker:index/container:Container", "docker:index/volume:Volume"
BUCKET, TOPIC = "minio:index/s3Bucket:S3Bucket", "kafka:index/topic:Topic"
OFFSET = 30_000
# services of a stack: single ones, ZooKeeper nodes, brokers, and the page that only pulled images have
CONTAINERS = {("dev", "build"): 7, ("dev", "pull"): 8, ("prod", "build"): 11, ("prod", "pull"): 12}


def flat(values: Mapping[str, Any]) -> dict[str, str]:
    """A stack file's `clinical:` settings as paths and texts."""
    found = {}
    for key, value in values.items():
        name = key.removeprefix("clinical:")
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": str(text) for inner, text in value.items()}
        else:
            found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


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
        text = stack.pulumi("preview", "--json", "--policy-pack", str(TREE / "policies"))
        assert not any(secret in text for secret in stack.secrets.values()), "a secret stands in the preview"
        steps: list[dict[str, Any]] = json.loads(text[text.index("{"):text.rindex("}") + 1])["steps"]
        return [step["newState"] for step in steps]


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
    assert len(of_type(plan, BUCKET)) == 7
    assert len(of_type(plan, TOPIC)) == 8
    protected = {resource["urn"] for kind in (VOLUME, BUCKET) for resource in of_type(plan, kind) if resource.get("protect")}
    assert len(protected) == (len(of_type(plan, VOLUME)) + 7 if file == "prod" else 0)
    layers = {r["urn"].rpartition("::")[2]: r for r in plan if r["type"].startswith("clinical:layer:")}
    for name, kind in layer_kinds().items():
        needed = {urn.split("$")[0].rpartition(":")[2].lower() for urn in layers[name].get("dependencies", [])
                  if "clinical:layer:" in urn}
        assert needed == set(kind.needs), name


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
    assert len(of_type(plan, BUCKET)) == 7 and len(of_type(plan, VOLUME)) == 6


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


def test_a_bad_resource_is_refused_by_the_pack(tmp_path: Path, previews: Previews) -> None:
    """The pack is mandatory: a program with a bad container does not preview, and the message says how to mend it."""
    stack = previews.stack("dev", images="build")
    (tmp_path / "__main__.py").write_text(
        "import pulumi_docker as docker\ndocker.Container('bad', image='sha256:0', envs=['ADMIN_PASSWORD=hunter2'])\n")
    project = yaml.safe_load((stack.folder / "Pulumi.yaml").read_text())
    (stack.folder / "Pulumi.yaml").write_text(yaml.safe_dump({**project, "main": str(tmp_path)}))
    text = stack.pulumi("preview", "--policy-pack", str(TREE / "policies"), fails=True)
    assert "[mandatory]" in text and "bad: the variable ADMIN_PASSWORD holds a secret" in text
