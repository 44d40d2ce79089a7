"""Set-up finds every problem before anything starts, and writes secrets where only the user reads them."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from components.settings import SettingsError
from operations import remote
from operations.environment import environment
from operations.setup import __main__ as set_up
from operations.setup import docker_engine, stack
from operations.setup.checks import GIB, Machine, SetupError, machine, problems, taken, total_memory
from operations.ssh import DockerHost

GOOD = Machine(memory=12 * GIB, disk=50 * GIB, docker_answers=True, docker_installable=False)


def test_a_good_machine_has_no_problem() -> None:
    """Nothing to say."""
    assert problems(GOOD, {}, "127.0.0.1", []) == []


def test_every_problem_is_named_at_once_with_what_to_do() -> None:
    """Memory, disk, Docker and a port, all in one go."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        bad = Machine(memory=GIB, disk=GIB, docker_answers=False, docker_installable=False, docker_error="refused")
        found = problems(bad, {"kafka": port}, "127.0.0.1", [])
        assert [fault.split(":")[0].split(" ")[0] for fault in found] == ["memory", "disk", "Docker", "port"]
        assert f"port {port} (kafka)" in found[3] and "portOffset" in found[3] and "make up" in found[2]
        assert problems(GOOD, {"kafka": port}, "127.0.0.1", [port]) == [], "a port that the stack itself holds is no problem"
    assert not taken("127.0.0.1", port)


def test_another_machine_is_judged_by_what_docker_says_of_it(tmp_path: Path) -> None:
    """Its memory counts, not this one's; its disk nobody knows; its ports are asked in another way."""
    there = machine(tmp_path, None, GIB, elsewhere=True)
    found = problems(there, {"kafka": 9092, "redis": 6379}, "127.0.0.1", [9092], lambda address, port: True)
    assert there.disk is None and [fault.split(" (")[0].split(":")[0] for fault in found] == ["memory", "port 6379"]
    here = machine(tmp_path, "no daemon", None, elsewhere=False)
    assert here.memory == total_memory() and here.disk


def test_set_up_says_which_machine_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Docker host's name, where it is another."""
    monkeypatch.setattr(set_up, "silent", lambda: None)
    monkeypatch.setattr(set_up, "own_ports", lambda stack: set())
    monkeypatch.setattr(set_up, "memory", lambda: GIB)
    with pytest.raises(SetupError, match="this machine cannot run"):
        set_up.check(None, "dev")
    monkeypatch.setattr(remote, "elsewhere", lambda: remote.Tunnel(DockerHost("me@far"), "dev", {}, "127.0.0.1"))
    with pytest.raises(SetupError, match=r"^me@far cannot run.*\n  memory: 1.0 GiB[^\n]*$"):
        set_up.check(None, "dev")


def test_docker_that_the_user_named_is_not_installed_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be another one."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr(docker_engine, "start", lambda log: pytest.fail("a daemon was started"))
    with pytest.raises(SetupError, match="DOCKER_HOST names it"):
        docker_engine.ensure_docker(Console(quiet=True), tmp_path)


def test_docker_that_can_be_installed_is_no_problem() -> None:
    """As root on Debian, set-up installs it."""
    assert problems(Machine(12 * GIB, 50 * GIB, False, True, "no daemon"), {}, "127.0.0.1", []) == []


def test_the_passphrase_is_made_once_and_for_the_user_alone(tmp_path: Path) -> None:
    """0600, never made again: that would lose every secret."""
    variables = {"PULUMI_BACKEND_URL": f"file://{tmp_path}/state", "PULUMI_CONFIG_PASSPHRASE_FILE": f"{tmp_path}/state/passphrase"}
    stack.ensure_backend(variables)
    file = tmp_path / "state" / "passphrase"
    text = file.read_text()
    assert len(text.strip()) == 64 and file.stat().st_mode & 0o777 == 0o600
    stack.ensure_backend(variables)
    assert file.read_text() == text


def test_a_users_own_backend_and_passphrase_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set-up's are only defaults."""
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert environment(tmp_path)["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/.state"
    assert environment(tmp_path)["PULUMI_CONFIG_PASSPHRASE_FILE"] == f"{tmp_path}/.state/passphrase"
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://states")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "mine")
    assert environment(tmp_path)["PULUMI_BACKEND_URL"] == "s3://states"
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in environment(tmp_path)


def test_only_missing_secrets_are_generated_and_never_on_a_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is there stays; a new one goes through standard input."""
    (tmp_path / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": {"clinical:secrets": {"redis": {"secure": "v1:x"}}}}))
    calls: list[tuple[list[str], str]] = []

    def fake(arguments: list[str], folder: Path, variables: Mapping[str, str], text: str = "") -> str:
        calls.append((arguments, text))
        return '[{"name": "dev"}]'

    monkeypatch.setattr(stack, "pulumi", fake)
    stack.ensure_stack(tmp_path, "dev", {}, Console(quiet=True))
    made = {arguments[-1].rpartition(".")[2]: text for arguments, text in calls if "--secret" in arguments}
    assert set(made) == set(stack.wanted_secrets()) - {"redis"}
    assert len(set(made.values())) == len(made) and all(len(text) == 32 and text.isalnum() for text in made.values())
    assert not any(text in " ".join(arguments) for arguments, _ in calls for text in made.values())


def test_a_wrong_setting_is_found_before_any_secret_is_made(tmp_path: Path) -> None:
    """The configuration is checked first."""
    (tmp_path / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": {"clinical:kafkaMod": "kraft"}}))
    with pytest.raises(SettingsError, match="did you mean kafkaMode"):
        stack.settings_before_secrets(tmp_path, "dev")
    with pytest.raises(SetupError, match=r"there is no Pulumi\.other\.yaml"):
        stack.settings_before_secrets(tmp_path, "other")
