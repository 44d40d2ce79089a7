"""Fixtures of the management command's tests: a world without engine and Docker, and the command in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from components import settings
from operations import __main__ as command
from operations import commands, doctor, logs, reading, running, services, stack, validating
from operations.__main__ import main
from operations.layers import ingestion, observability
from tests.unit.components import recorded
from tests.unit.pipeline.fakes import SERVICES, FakeDocker, FakeStack, container

MODULES = (commands, doctor, ingestion, logs, observability, reading, running, services, stack, validating)
KNOWING_LAYERS = (settings, command, commands, doctor, reading, stack, validating, recorded)
TWO_LAYERS = {name: kind for name, kind in settings.layer_kinds().items() if name in ("infrastructure", "storage")}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str


Command = Callable[..., Done]
World = Callable[..., tuple[FakeStack, FakeDocker]]
Platform = Callable[..., FakeStack]


@pytest.fixture
def two_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command in a small world of two layers, whatever else the platform has."""
    for module in KNOWING_LAYERS:
        monkeypatch.setattr(module, "layer_kinds", lambda: TWO_LAYERS)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `./pipeline` with arguments, in this process."""
    monkeypatch.delenv("PULUMI_STACK", raising=False)
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments: str) -> Done:
        monkeypatch.setattr("sys.argv", ["./pipeline", *arguments])
        try:
            status = main()
        except SystemExit as end:
            status = int(end.code or 0)
        text = capsys.readouterr()
        assert "Traceback" not in text.err
        return Done(status, text.out, text.err)

    return run


@pytest.fixture
def world(two_layers: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """Makes the stack and the daemon that commands find: both layers in the given state, or each in its own."""

    def make(state: str = "running", docker: FakeDocker | None = None, *, storage: str | None = None,
             **settings: object) -> tuple[FakeStack, FakeDocker]:
        stack = FakeStack({"infrastructure": state, "storage": storage or state}, **settings)
        daemon = docker or FakeDocker(*(container(name) for name in (SERVICES if state == "running" else ())))
        put(monkeypatch, tmp_path, stack, daemon)
        return stack, daemon

    return make


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Platform:
    """Makes a stack with every layer running, but those that are `stopped`, for commands of one layer."""
    def make(stopped: tuple[str, ...] = (), **configuration: object) -> FakeStack:
        states = {layer: "stopped" if layer in stopped else "running" for layer in settings.layer_kinds()}
        stack = FakeStack(states, **configuration)
        put(monkeypatch, tmp_path, stack, FakeDocker())
        return stack

    return make


def put(monkeypatch: pytest.MonkeyPatch, folder: Path, fake: FakeStack, daemon: FakeDocker) -> None:
    """Lets every command find this stack and this daemon, and write its logs into a folder of the test."""
    for module in (stack, doctor):
        monkeypatch.setattr(module, "LOGS", folder)
    for module in MODULES:
        if hasattr(module, "connect"):
            monkeypatch.setattr(module, "connect", lambda: daemon)
        if module is not stack and hasattr(module, "open_stack"):
            monkeypatch.setattr(module, "open_stack", lambda name: fake)
