"""Expected faults end with status 1, the next step and no traceback; wrong usage ends with status 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from docker.errors import DockerException
from pulumi import automation as auto

from components.settings import layer_kinds
from operations.__main__ import application
from operations.stack import Workspace
from tests.unit.pipeline.conftest import Command, World
from tests.unit.pipeline.fakes import engine_error
from toolchain import ToolchainError

COMMANDS = ("start", "start-force", "stop", "stop-full", "restart", "init", "status", "health", "logs", "build", "rebuild", "urls",
            "graph", "validate", "doctor")
OWN = {"storage": ("buckets", "sync", "backup", "restore"), "processing": ("submit", "jobs"),
       "ml": ("predict", "train", "models", "promote", "rollback", "features", "jobs"), "orchestration": ("dags", "trigger"),
       "ingestion": ("producer", "topics"), "observability": ("alerts", "dashboards"), "all": ("rotate-secrets", "tunnel")}
READING = ("status", "health", "urls", "graph", "validate", "buckets", "jobs", "predict", "models", "features", "dags", "producer",
           "topics", "alerts", "dashboards")
CHANGING = ("start", "start-force", "stop", "stop-full", "restart", "init", "build", "rebuild", "submit", "train", "promote",
            "rollback", "trigger", "backup", "restore", "sync", "rotate-secrets")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("layer", [*layer_kinds(), "all"])
def test_every_command_explains_itself(pipeline: Command, layer: str, command: str) -> None:
    """For each layer and for all."""
    done = pipeline(layer, command, "--help")
    assert done.status == 0 and command in done.out and "--stack" in done.out


@pytest.fixture(scope="module")
def options() -> dict[str, dict[str, set[str]]]:
    """The options of each command, by layer and name."""
    tree: Any = typer.main.get_command(application())
    return {layer: {name: {option for parameter in command.params for option in parameter.opts}
                    for name, command in group.commands.items()}
            for layer, group in tree.commands.items() if hasattr(group, "commands")}


def test_each_layer_has_the_common_commands_and_its_own(options: dict[str, dict[str, set[str]]]) -> None:
    """And no other; each takes the stack's name."""
    assert {layer: set(commands) for layer, commands in options.items()} == {
        layer: {*COMMANDS, *OWN.get(layer, ())} for layer in [*layer_kinds(), "all"]}
    assert all("--stack" in taken for commands in options.values() for taken in commands.values())


def test_what_is_read_is_there_as_data_and_what_changes_can_be_tried(options: dict[str, dict[str, set[str]]]) -> None:
    """Every command that reads takes --json, every one that changes --dry-run."""
    found = {name: taken for commands in options.values() for name, taken in commands.items()}
    assert [name for name in READING if "--json" not in found[name]] == []
    assert [name for name in CHANGING if "--dry-run" not in found[name]] == []


@pytest.mark.parametrize("arguments", [
    ["nosuchlayer", "start"], ["all", "fly"], ["all", "start", "--nosuch"], ["all", "logs", "--tail", "many"],
    ["all", "status", "--stack"], ["all", "logs", "--tail", "-1"], ["all", "graph", "--format", "png"], ["completion", "tcsh"],
    ["ml", "promote", "newest"], ["processing", "jobs", "--status", "lost"]])
def test_wrong_usage_ends_with_two(pipeline: Command, arguments: list[str]) -> None:
    """Whatever is wrong about it, and it is named."""
    done = pipeline(*arguments)
    assert done.status == 2 and any(argument.lstrip("-") in done.err for argument in arguments[1:] + arguments[:1])


@pytest.mark.parametrize(("error", "words"), [
    (engine_error("error: no stack named 'other' found"), "`make up STACK=other`"),
    (engine_error("error: failed to decrypt: incorrect passphrase"), ".state/passphrase"),
    (engine_error("error: unable to read PULUMI_CONFIG_PASSPHRASE_FILE: open x: no such file"), "must hold the stack's passphrase"),
    (engine_error("error: the stack is currently locked by 1 lock(s)"), "./pipeline pulumi cancel --yes --stack other"),
    (engine_error("error: the current deployment has 1 resource(s) with pending operations"),
     "./pipeline pulumi refresh --yes --clear-pending-creates --stack other"),
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


@pytest.mark.parametrize("command", ["start", "stop", "status", "logs", "build", "init"])
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
