"""`validate` finds whatever would make a start fail, names all of it, and changes nothing."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import DockerException, ImageNotFound

from operations import validating
from operations.faults import OperationError
from tests.unit.pipeline.conftest import Command, World
from tests.unit.pipeline.fakes import FakeDocker, FakeStack, container, engine_error


@pytest.fixture
def stack(world: World, monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    """A stack whose preview is well, on a machine on which every port is free."""
    found, _ = world()
    monkeypatch.setattr(found, "preview", lambda **_: SimpleNamespace(change_summary={"create": 3, "same": 2}), raising=False)
    monkeypatch.setattr(validating, "taken", lambda address, port: False)
    return found


def checks(pipeline: Command, layer: str = "all") -> dict[str, dict[str, Any]]:
    """Each check of the command, by name."""
    done = pipeline(layer, "validate", "--json")
    found = {check["what"]: check for check in json.loads(done.out)}
    assert done.status == (0 if all(check["well"] for check in found.values()) else 1)
    return found


def test_a_stack_that_could_start(stack: FakeStack, pipeline: Command) -> None:
    """Each check says what it looked at, and nothing was changed."""
    found = checks(pipeline)
    assert list(found) == ["settings", "images", "ports", "preview and policies"] and all(c["well"] for c in found.values())
    assert found["preview and policies"]["found"] == "3 create, 2 same"
    assert stack.calls == [] and "valid" in pipeline("all", "validate").err


def test_every_wrong_setting_is_named(stack: FakeStack, pipeline: Command) -> None:
    """What else there is cannot be judged then."""
    stack.config |= {"clinical:kafkaBrokers": "many", "clinical:nosuch": "1"}
    found = checks(pipeline)
    assert list(found) == ["settings"] and len(found["settings"]["faults"]) == 2


def test_a_port_of_another_program_is_named(stack: FakeStack, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do; one that the stack's own container holds is none."""
    monkeypatch.setattr(validating, "taken", lambda address, port: port == 6379)
    faults = checks(pipeline)["ports"]["faults"]
    assert len(faults) == 1 and "port 6379 (redis)" in faults[0] and "clinical:portOffset" in faults[0]
    stack.config["clinical:ports"] = {"redis": 8080}  # which the fake's containers publish
    monkeypatch.setattr(validating, "taken", lambda address, port: port == 8080)
    assert checks(pipeline)["ports"]["well"]


def test_a_port_is_looked_at_on_this_machine(stack: FakeStack, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """By trying it."""
    monkeypatch.undo()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert validating.taken("127.0.0.1", listener.getsockname()[1])


def test_ports_of_a_stopped_layer_do_not_matter(stack: FakeStack, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """It will not take them."""
    monkeypatch.setattr(validating, "taken", lambda address, port: True)
    stack.states.update(infrastructure="stopped", storage="stopped")
    assert checks(pipeline)["ports"]["well"]


def missing(*gone: str) -> FakeDocker:
    """A daemon without the images whose names hold one of these words, and whose registry has none."""
    daemon = FakeDocker(container("kafka"), container("redis"))

    def get(tag: str) -> str:
        if any(word in tag for word in gone):
            raise ImageNotFound(tag)
        return tag

    def refused(tag: str) -> None:
        raise DockerException("no route to the registry\nand more")

    daemon.images = SimpleNamespace(get=get, get_registry_data=refused)
    return daemon


def test_an_image_that_would_be_built_is_no_fault(stack: FakeStack, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless its base is missing."""
    monkeypatch.setattr(validating, "connect", lambda: missing("mlops/redis:", "mlops/kafka:"))
    found = checks(pipeline)["images"]
    assert found["well"] and found["found"].endswith("2 to be made")
    monkeypatch.setattr(validating, "connect", lambda: missing("mlops/redis:", "mlops/base:"))
    faults = checks(pipeline)["images"]["faults"]
    assert len(faults) == 1 and "images/redis" in faults[0] and "`make up` makes it" in faults[0]


def test_an_image_without_a_recipe(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was removed by mistake."""
    monkeypatch.setattr(validating, "IMAGES_FOLDER", tmp_path)
    assert "images/redis/Dockerfile is missing" in str(validating.not_built(missing(), "redis"))  # type: ignore[arg-type]


def test_an_image_that_cannot_be_pulled_is_named(stack: FakeStack, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its registry's word and the two settings that help; one that the daemon has needs no registry."""
    stack.config["clinical:images"] = "pull"
    monkeypatch.setattr(validating, "connect", lambda: missing("redis:7"))
    faults = checks(pipeline)["images"]["faults"]
    assert len(faults) == 1 and faults[0].startswith("redis:7") and "no route to the registry)" in faults[0]
    assert "clinical:registryMirror" in faults[0] and "clinical:images" in faults[0]


def test_a_policy_that_refuses(stack: FakeStack, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The preview is asked with the pack, which is told how strict the stack is; what it says comes through."""
    stack.config["clinical:policies"] = "advisory"
    asked: list[object] = []

    def refuses(policy_packs: list[str], policy_pack_configs: list[str], on_output: Any, **_: object) -> None:
        asked.append((policy_packs, json.loads(Path(policy_pack_configs[0]).read_text())["all"]))
        on_output("[mandatory]  kafka: no memory limit")
        raise engine_error("error: preview failed")

    monkeypatch.setattr(stack, "preview", refuses)
    done = pipeline("all", "validate")
    assert done.status == 1 and "no memory limit" in done.err and "preview failed" in done.out and "valid" not in done.err.split()
    assert asked == [(["policies"], "advisory")]


def test_docker_that_does_not_answer_is_a_fault(stack: FakeStack, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings were looked at all the same."""
    def away() -> None:
        raise OperationError("Docker does not answer (refused); `make up` starts it where it may")

    monkeypatch.setattr(validating, "connect", away)
    found = checks(pipeline)
    assert list(found) == ["settings", "Docker"] and "make up" in found["Docker"]["faults"][0]
