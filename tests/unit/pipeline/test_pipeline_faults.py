"""Expected faults end with status 1, the next step and no traceback; wrong usage ends with status 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from docker.errors import DockerException
from pulumi import automation as auto

from components.settings import layer_kinds
from operations.stack import Workspace
from tests.unit.pipeline.conftest import Command, World
from tests.unit.pipeline.fakes import engine_error
from toolchain import ToolchainError

COMMANDS = ("start", "start-force", "stop", "stop-full", "restart", "status", "health", "logs", "build", "rebuild", "urls",
            "validate")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("layer", [*layer_kinds(), "all"])
def test_every_command_explains_itself(pipeline: Command, layer: str, command: str) -> None:
    """For each layer and for all."""
    done = pipeline(layer, command, "--help")
    assert done.status == 0 and command in done.out and "--stack" in done.out


@pytest.mark.parametrize("arguments", [
    ["nosuchlayer", "start"], ["all", "fly"], ["all", "start", "--nosuch"], ["all", "logs", "--tail", "many"],
    ["all", "status", "--stack"], ["all", "logs", "--tail", "-1"]])
def test_wrong_usage_ends_with_two(pipeline: Command, arguments: list[str]) -> None:
    """Whatever is wrong about it, and it is named."""
    done = pipeline(*arguments)
    assert done.status == 2 and any(argument.lstrip("-") in done.err for argument in arguments[1:] + arguments[:1])


@pytest.mark.parametrize(("error", "words"), [
    (engine_error("error: no stack named 'other' found"), "`make up STACK=other`"),
    (engine_error("error: failed to decrypt: incorrect passphrase"), ".state/passphrase"),
    (engine_error("error: unable to read PULUMI_CONFIG_PASSPHRASE_FILE: open x: no such file"), "must hold the stack's passphrase"),
    (engine_error("error: the stack is currently locked by 1 lock(s)"), "./pipeline pulumi cancel --yes --stack other"),
    (FileNotFoundError("pulumi"), "`make up STACK=other` installs it"),
    (auto.InvalidVersionError("Minimum version requirement failed"), "Minimum version requirement failed"),
    (ToolchainError("PULUMI_HOME is not a folder"), "PULUMI_HOME is not a folder")])
def test_a_stack_that_cannot_be_opened(pipeline: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                       error: Exception, words: str) -> None:
    """The engine's own words in a line, and what to do."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("operations.stack.auto.Stack.select", fails)
    done = pipeline("all", "urls", "--stack", "other")
    assert done.status == 1 and words in done.err and "stderr:" not in done.err and done.err.count("error:") == 1


def test_a_machine_without_set_up(pipeline: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before `make up` there is no state at all."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/none")
    done = pipeline("all", "urls")
    assert done.status == 1 and "make up STACK=dev" in done.err


@pytest.mark.parametrize("command", ["start", "stop", "status", "logs", "build"])
def test_docker_that_does_not_answer(pipeline: Command, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Found before anything is written."""
    def fails(**_: object) -> None:
        raise DockerException("connection refused")

    monkeypatch.setattr("docker.from_env", fails)
    done = pipeline("all", command)
    assert done.status == 1 and "Docker does not answer (connection refused)" in done.err and "make up" in done.err


@pytest.mark.parametrize("command", ["start", "status", "health", "urls"])
def test_an_engine_that_fails_in_the_middle(world: World, pipeline: Command, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Any step of a command can meet a lock or a missing passphrase."""
    stack, _ = world()

    def fails() -> None:
        raise engine_error("error: the stack is currently locked by 1 lock(s)")

    monkeypatch.setattr(stack, "outputs" if command == "urls" else "get_all_config", fails)
    done = pipeline("all", command)
    assert done.status == 1 and "pulumi cancel" in done.err


def test_an_unknown_state_of_a_layer_is_named(world: World, pipeline: Command) -> None:
    """With those that there are."""
    stack, _ = world()
    stack.states["storage"] = "sleeping"
    done = pipeline("all", "status")
    assert done.status == 1 and "sleeping" in done.err and "running, stopped, absent" in done.err


def test_opening_a_stack_selects_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A `pulumi up` that a user types after `./pipeline all status --stack prod` must not go to prod."""
    asked: list[list[str]] = []

    class Pulumi:
        version = None

        def run(self, arguments: list[str], *_: object) -> None:
            asked.append(arguments)

    workspace = Workspace.__new__(Workspace)
    workspace.pulumi_command, workspace.work_dir, workspace.env_vars = Pulumi(), str(tmp_path), {}  # type: ignore[assignment]
    workspace.select_stack("prod")
    assert asked == [["stack", "--stack", "prod"]]
