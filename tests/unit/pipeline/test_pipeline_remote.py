"""Commands reach for a Docker host that is another machine, and only those that need it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from operations import __main__ as command
from operations import remote, validating
from operations.faults import OperationError
from operations.ssh import DockerHost
from tests.unit.pipeline.conftest import Command, World

TUNNEL = remote.Tunnel(DockerHost("me@far"), "dev", {"redis": 6379}, "127.0.0.1")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was reached for, and what was left again."""
    found: list[str] = []

    @contextmanager
    def reached(stack: str, **how: Any) -> Iterator[None]:
        found.append(f"to {stack}{''.join(f' {name}={value}' for name, value in how.items())}")
        monkeypatch.setattr(remote, "elsewhere", lambda: TUNNEL)
        yield
        monkeypatch.setattr(remote, "elsewhere", lambda: None)
        found.append("back")

    monkeypatch.setattr(remote, "reached", reached)
    return found


@pytest.mark.parametrize("arguments", [("all", "urls"), ("infrastructure", "status"), ("all", "stop", "--dry-run")])
def test_a_command_runs_within_it(world: World, pipeline: Command, seen: list[str], arguments: tuple[str, ...]) -> None:
    """And leaves it, whatever its status is."""
    world()
    pipeline(*arguments, "--stack", "mine")
    assert seen == ["to mine", "back"]


@pytest.mark.parametrize("arguments", [("all", "start", "--help"), ("completion", "bash"), ("all", "start", "--nosuch")])
def test_what_needs_no_docker_reaches_for_none(pipeline: Command, seen: list[str], arguments: tuple[str, ...]) -> None:
    """Help and wrong usage."""
    pipeline(*arguments)
    assert seen == []


def test_a_shell_that_completes_a_line_does_not_wait(pipeline: Command, seen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """For another machine."""
    for name, value in (("_PIPELINE_COMPLETE", "complete_bash"), ("COMP_WORDS", "./pipeline all start --stack x --d"),
                        ("COMP_CWORD", "5")):
        monkeypatch.setenv(name, value)
    assert "--dry-run" in pipeline().out and seen == []


@pytest.mark.parametrize(("arguments", "needs"), [
    (("up",), True), (("preview", "--diff"), True), (("refresh",), True), (("stack", "export"), False),
    (("cancel", "--yes"), False), (("config", "set", "clinical:portOffset", "10000"), False)])
def test_pulumi_needs_it_where_plugins_start(pipeline: Command, seen: list[str], monkeypatch: pytest.MonkeyPatch,
                                             arguments: tuple[str, ...], needs: bool) -> None:
    """What sets a port right works while that port keeps the tunnel from being opened."""
    monkeypatch.setattr(command, "environment", lambda folder: {})
    monkeypatch.setattr(command, "subprocess", SimpleNamespace(run=lambda *_, **__: SimpleNamespace(returncode=0)))
    assert pipeline("pulumi", *arguments, "--stack", "dev").status == 0
    assert seen == (["to dev", "back"] if needs else [])


def test_a_report_does_without(world: World, pipeline: Command, seen: list[str], tmp_path: Any) -> None:
    """It is what a broken way to Docker is reported by."""
    world()
    assert pipeline("all", "doctor", "--output", str(tmp_path / "report.txt")).status == 0
    assert seen == ["to dev required=False", "back"] and "(another, through a tunnel)" in (tmp_path / "report.txt").read_text()


def test_no_way_to_docker_is_an_error(world: World, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the command, before it does anything."""
    world()

    def no_way(self: remote.Tunnel) -> None:
        raise OperationError("there is no way to Docker")

    monkeypatch.setenv("DOCKER_HOST", "ssh://far")
    monkeypatch.setattr(remote.Tunnel, "held", no_way)
    done = pipeline("all", "start")
    assert done.status == 1 and done.err == "error: there is no way to Docker\n" and os.environ["DOCKER_HOST"] == "ssh://far"


def test_the_tunnel_says_where_the_pages_are(world: World, pipeline: Command, seen: list[str],
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """And then is held."""
    world()
    monkeypatch.setattr(remote, "hold", lambda stack: seen.append(f"held for {stack}"))
    done = pipeline("all", "tunnel")
    assert done.status == 0 and "http://127.0.0.1:9001" in done.out and seen == ["to dev", "held for dev", "back"]


def test_the_tunnel_is_held_before_there_are_pages(world: World, pipeline: Command, seen: list[str],
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    """A first `make up` may follow."""
    world()[0].pages.clear()
    monkeypatch.setattr(remote, "hold", lambda stack: seen.append("held"))
    done = pipeline("all", "tunnel")
    assert done.status == 0 and "no page yet" in done.err and "held" in seen


def test_a_tunnel_to_this_machine(pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is none."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    done = pipeline("all", "tunnel")
    assert done.status == 1 and "DOCKER_HOST=ssh://user@host ./pipeline all tunnel --stack dev" in done.err


def test_ports_of_the_other_machine_are_looked_at_there(world: World, pipeline: Command, seen: list[str],
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    """At this end the tunnel has every one of them."""
    stack, _ = world()
    monkeypatch.setattr(stack, "preview", lambda **_: SimpleNamespace(change_summary={}), raising=False)
    monkeypatch.setattr(validating, "taken", lambda address, port: True)
    monkeypatch.setattr(validating, "answered", lambda address, port: port == 6379)
    done = pipeline("all", "validate")
    assert done.status == 1 and "port 6379 (redis)" in done.out and done.out.count("is used by another program") == 1
