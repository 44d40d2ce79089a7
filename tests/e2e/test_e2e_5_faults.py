"""Rule: whatever is wrong, a command says what and what to do, ends with the right status, and does no harm."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command import ALL, Command
from tests.e2e.effects import Seen, of_layer, seen
from tests.e2e.flow import wait_until
from tests.e2e.markers import Markers
from tests.e2e.stack import Stack

WRONG_USAGE = (("nonsense", "status"), ("ingestion", "fly"), ("ingestion", "start", "--nonsense"), ("storage", "sync", "bronze"),
               ("ingestion", "producer", "--rate", "fast"), ("ml", "promote", "0"), (ALL, "rotate-secrets", "--nonsense"))
CHANGING = ("start", "stop", "restart")
DEAD = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


@pytest.fixture
def unharmed(platform: Stack) -> Iterator[Seen]:
    """The platform, which must be the same after the test."""
    before = seen(platform)
    yield before
    assert seen(platform) == before


@pytest.mark.parametrize("given", WRONG_USAGE, ids=" ".join)
def test_wrong_usage_is_named(unharmed: Seen, command: Command, given: tuple[str, ...]) -> None:
    """Exit status 2, and where the help is."""
    told = command(*given, status=2).told
    assert "--help" in told and "Error" in told


def test_what_there_is_not_is_named(unharmed: Seen, command: Command) -> None:
    """A stack, a secret, a service: which there is not, and what to do instead."""
    assert "`make up STACK=nonsense` makes it" in command(ALL, "status", "--stack", "nonsense", status=1).told
    assert "there is no secret nonsense; there are minio-root" in command(ALL, "rotate-secrets", "nonsense", status=1).told
    assert "airflow-fernet is not changed this way" in command(ALL, "rotate-secrets", "airflow-fernet", status=1).told
    assert "Services with a container: kafka" in command("infrastructure", "logs", "nonsense", status=1).told


def test_a_wrong_setting_is_refused_before_anything_changes(platform: Stack, command: Command) -> None:
    """Each fault with its key; the stack goes on as it is."""
    before = seen(platform)
    command("pulumi", "config", "set", "clinical:zookeeperNodes", "2")
    assert "zookeeperNodes: 2 is even" in command("infrastructure", "start", status=1).told
    assert "zookeeperNodes: 2 is even" in command(ALL, "validate", status=1).found
    command("pulumi", "config", "rm", "clinical:zookeeperNodes")
    assert seen(platform) == before


def test_stopped_docker_is_said(unharmed: Seen, command: Command, tmp_path: Path) -> None:
    """By whatever needs it; what does not goes on, and doctor has the rest."""
    calls = [("infrastructure", given) for given in (*CHANGING, "status", "health", "logs", "build", "init")]
    for call, answer in zip(calls, command.several(calls, status=1, variables=DEAD), strict=True):
        assert "Docker does not answer" in answer.told and "DOCKER_HOST" in answer.told, call
    assert "Docker does not answer" in command("infrastructure", "validate", status=1, variables=DEAD).found
    assert command("infrastructure", "urls", variables=DEAD).found
    command("infrastructure", "doctor", "--output", str(tmp_path / "report.txt"), variables=DEAD)
    assert "Docker does not answer" in (tmp_path / "report.txt").read_text()


def test_a_missing_engine_is_said(unharmed: Seen, command: Command, tmp_path: Path) -> None:
    """Neither on the PATH nor in Pulumi's own folder."""
    without = {"PATH": "/usr/bin:/bin", "PULUMI_HOME": str(tmp_path)}
    calls = [("infrastructure", given) for given in (*CHANGING, "status", "health", "urls")]
    for call, answer in zip(calls, command.several(calls, status=1, variables=without), strict=True):
        assert "there is no `pulumi`: `make up STACK=" in answer.told, call
    assert "there is no `pulumi`" in command("pulumi", "whoami", status=1, variables=without).told


def test_a_wrong_passphrase_is_said(unharmed: Seen, command: Command) -> None:
    """With the file that should hold the right one."""
    calls = [("infrastructure", given) for given in (*CHANGING, "health", "validate")]
    wrong = {"PULUMI_CONFIG_PASSPHRASE": "another"}
    for call, answer in zip(calls, command.several(calls, status=1, variables=wrong), strict=True):
        assert "incorrect passphrase" in answer.told, call
        assert "PULUMI_CONFIG_PASSPHRASE_FILE names (.state/passphrase" in answer.told, call


def test_a_fresh_clone_is_told_to_be_set_up(platform: Stack, command: Command, tmp_path: Path) -> None:
    """Without an environment of Python, and without a stack."""
    clone = tmp_path / "clone"
    clone.mkdir()
    shutil.copy2(platform.folder / "pipeline", clone / "pipeline")
    done = subprocess.run([str(clone / "pipeline"), ALL, "status"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "run 'make up' first" in done.stderr
    nowhere = {"PULUMI_BACKEND_URL": f"file://{clone / '.state'}"}
    assert "nothing was set up here yet; `make up STACK=" in command(ALL, "status", status=1, variables=nowhere).told


def test_a_killed_engine_leaves_a_lock_that_is_explained_and_the_same_command_goes_on(
        platform: Stack, markers: Markers, command: Command) -> None:
    """The half-finished update is said; what to do stands in the message; and that mends."""
    services, before = set(platform.containers()), seen(platform)
    with command.running("ingestion", "restart") as process:
        while process.poll() is None and not (platform.locked() and len(platform.containers()) < len(services)):
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    wait_until("nothing of the update is left", lambda: at_rest(platform))
    assert command("ingestion", "status", status=1).told
    locked = command("ingestion", "start", status=1).told
    unlock = ("pulumi", "cancel", "--yes", "--stack", platform.name)
    assert "the stack is currently locked" in locked and f"`./pipeline {' '.join(unlock)}`" in locked
    command(*unlock)
    command("ingestion", "start")
    assert set(platform.containers()) == services
    wait_until("every service is healthy", lambda: platform.unhealthy() == {})
    lower = {name for name in services if name not in of_layer(platform, "ingestion")}
    assert {name: seen(platform).containers[name] for name in lower} == {name: before.containers[name] for name in lower}
    assert markers.missing() == []
    platform.up("--expect-no-changes")


def at_rest(platform: Stack) -> bool:
    """Whether no container has come or gone for a while: what the engine asked of Docker is done without it, too."""
    before = seen(platform)
    time.sleep(10)
    return seen(platform) == before
