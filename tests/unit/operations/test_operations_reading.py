"""What status and health say, and how the command answers to wrong usage."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.models.containers import Container

from components.settings import State, layer_kinds
from operations.probes import Probe, ask
from operations.services import as_json, statuses, verdict
from tests.unit.components.recorded import TREE


def container(service: str, status: str = "running", health: str | None = "healthy", **more: Any) -> Container:
    """What Docker says of a container."""
    state = {"Status": status, "StartedAt": "2026-11-25T10:00:00.123Z", **({"Health": {"Status": health}} if health else {})}
    attributes = {"State": state, "RestartCount": 2, "Config": {"Image": "sha256:0123"}, "NetworkSettings": {
        "Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "81/tcp": None}}, **more}
    labels = {"clinical.layer": "infrastructure", "clinical.service": service}
    return cast(Container, SimpleNamespace(attrs=attributes, labels=labels))


def test_a_removed_container_is_missing() -> None:
    """Status is true after a manual `docker rm`: the stack's state alone would call it running."""
    rows = statuses([container("kafka")], {"kafka": "infrastructure", "redis": "infrastructure"})
    assert [(row.service, row.state, row.up) for row in rows] == [("kafka", "running", True), ("redis", "missing", False)]
    assert rows[0].ports == "127.0.0.1:8080" and rows[0].restarts == 2 and rows[0].since == "2026-11-25 10:00:00"
    assert as_json(rows)[1]["service"] == "redis"


@pytest.mark.parametrize(("containers", "expected", "wanted", "answer"), [
    ([container("a"), container("b")], ["a", "b"], State.RUNNING, "up"),
    ([container("a")], ["a", "b"], State.RUNNING, "degraded"),
    ([container("a"), container("b", health="unhealthy")], ["a", "b"], State.RUNNING, "degraded"),
    ([container("a"), container("b", health="starting")], ["a", "b"], State.RUNNING, "degraded"),
    ([container("a", status="exited")], ["a"], State.RUNNING, "down"),
    ([], ["a"], State.RUNNING, "down"),
    ([], [], State.RUNNING, "down"),
    ([], [], State.STOPPED, "stopped"), ([], [], State.ABSENT, "absent"),
    ([container("a")], [], State.STOPPED, "degraded")])
def test_a_layer_is_up_only_when_all_of_it_is(containers: list[Container], expected: list[str], wanted: State, answer: str) -> None:
    """A layer that half runs is never called up."""
    rows = statuses(containers, dict.fromkeys(expected, "infrastructure"))
    assert verdict(rows, wanted, has_services=True) == answer


def test_a_probe_that_raises_is_an_answer() -> None:
    """Whatever a client library raises, in its first line."""
    def fails() -> str:
        raise ConnectionError("refused\nmore")
    assert (ask(Probe("kafka", fails)).healthy, ask(Probe("kafka", fails)).detail) == (False, "refused")
    assert ask(Probe("kafka", lambda: "fine")).detail == "fine"


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the management command."""
    return subprocess.run([sys.executable, "-m", "operations", *arguments], cwd=TREE, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [["nosuchlayer", "start"], ["all", "fly"], ["all", "start", "--wrong"]])
def test_wrong_usage_ends_with_two(arguments: list[str]) -> None:
    """The exit status and a word on what is wrong."""
    done = command(*arguments)
    assert (done.returncode == 2 and arguments[-1] in done.stderr + done.stdout) or "nosuchlayer" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_layer_has_the_same_verbs() -> None:
    """One command with the same verbs everywhere."""
    verbs = ("start", "start-force", "stop", "stop-full", "restart", "status", "health", "logs", "build", "rebuild", "urls")
    for layer in [*layer_kinds(), "all"]:
        text = command(layer, "--help").stdout
        assert all(verb in text for verb in verbs), layer


def test_a_stack_that_is_not_there_is_named_with_the_next_step() -> None:
    """No traceback for an expected fault."""
    done = command("all", "status", "--stack", "nosuchstack")
    assert done.returncode == 1 and "nosuchstack" in done.stderr and "Traceback" not in done.stderr
