"""Docker on another machine is here while a command runs, and nothing of it is left when the command has ended."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace

import docker as docker_client
import pytest

from components.settings import SettingsError
from operations import remote
from operations.faults import OperationError
from operations.setup.checks import answered
from operations.ssh import DockerHost
from tests.unit.components.recorded import CONTAINER, platform
from tests.unit.operations import far as others
from tests.unit.operations import ssh_fake

PROGRAM = f"#!/bin/sh\nexec {sys.executable} {ssh_fake.__file__} \"$@\"\n"


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def settings(port: int, address: str = "127.0.0.1") -> SimpleNamespace:
    """A stack that publishes one port."""
    return SimpleNamespace(platform=SimpleNamespace(bind_address=IPv4Address(address)),
                           layers=lambda: [SimpleNamespace(published=lambda: {"minio": port})])


@pytest.fixture
def port() -> int:
    """The stack's port."""
    return free_port()


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch, port: int) -> Iterator[others.Far]:
    """Another machine, which DOCKER_HOST names, and a project with one port."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders have names too long for a socket
        folder = Path(name)
        (folder / "bin").mkdir()
        (folder / "bin" / "ssh").write_text(PROGRAM)
        (folder / "bin" / "ssh").chmod(0o700)
        machine = others.Far(folder, monkeypatch)
        machine.becomes()
        monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
        monkeypatch.setenv("DOCKER_HOST", machine.address)
        monkeypatch.setattr(remote, "STATE", folder / "state")
        monkeypatch.setattr(remote, "LOGS", folder / "logs")
        monkeypatch.setattr(remote, "settings_before_secrets", lambda folder, stack: settings(port))
        monkeypatch.setattr(remote, "LOOK_SECONDS", 0.05)
        with others.docker(folder / "docker.sock"):
            yield machine
            machine.wait_for(alive=0)


def test_docker_and_the_ports_are_here(far: others.Far, port: int) -> None:
    """Under the addresses that they have there; afterwards everything is as it was."""
    with socket.create_server(("127.0.0.1", 0)) as there:
        far.becomes(ports={port: there.getsockname()[1]})
        with remote.reached("dev"):
            assert os.environ["DOCKER_HOST"] == f"unix://{far.folder}/state/docker-dev.sock"
            assert docker_client.from_env().info()["MemTotal"] == others.MEMORY
            with socket.create_connection(("127.0.0.1", port)):
                assert there.accept()
            tunnel = remote.elsewhere()
            assert tunnel is not None and str(tunnel.host) == "me@far (port 2222)" and tunnel.ports == {"minio": port}
    assert os.environ["DOCKER_HOST"] == far.address and remote.elsewhere() is None
    far.wait_for(alive=0)
    assert (far.folder / "state").stat().st_mode & 0o777 == 0o700


def test_ssh_is_told_to_ask_nothing_and_to_bring_all_or_nothing(far: others.Far, port: int) -> None:
    """And to make a connection of its own, whatever the user's configuration shares."""
    with remote.reached("dev"):
        (call,) = far.calls()
    for option in ("BatchMode=yes", "ExitOnForwardFailure=yes", "StreamLocalBindUnlink=yes", "ControlPath=none"):
        assert call[call.index(option) - 1] == "-o"
    assert call[-2:] == ["--", "me@far"] and call[call.index("-p") + 1] == "2222" and "-N" in call
    assert f"127.0.0.1:{port}:127.0.0.1:{port}" in call
    assert f"{far.folder}/state/docker-dev.sock:{far.folder}/docker.sock" in call


@pytest.mark.parametrize("given", [None, "unix:///var/run/docker.sock", "tcp://far:2376"])
def test_any_other_docker_is_left_alone(far: others.Far, monkeypatch: pytest.MonkeyPatch, given: str | None) -> None:
    """No ssh starts."""
    monkeypatch.delenv("DOCKER_HOST")
    if given:
        monkeypatch.setenv("DOCKER_HOST", given)
    with remote.reached("dev"):
        assert os.environ.get("DOCKER_HOST") == given and remote.elsewhere() is None
    assert far.calls() == []
    with pytest.raises(OperationError, match="ssh://user@host"):
        remote.hold("dev")


def tunnel_of(far: others.Far, stack: str = "dev") -> remote.Tunnel:
    """As another command has it."""
    return remote.Tunnel.of(DockerHost.of(far.address), stack, ports=True)


def test_commands_side_by_side_share_one_connection(far: others.Far) -> None:
    """It ends with the last of them, not with the one that opened it."""
    first, second = tunnel_of(far).held(), tunnel_of(far).held()
    first.__enter__()
    second.__enter__()
    assert len(far.calls()) == 1
    first.__exit__(None, None, None)
    with tunnel_of(far).held():
        assert tunnel_of(far).answers() and far.alive() == 1
    second.__exit__(None, None, None)
    far.wait_for(alive=0)
    with remote.reached("dev"):
        assert len(far.calls()) == 2


def test_a_tunnel_is_not_taken_for_another(far: others.Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """One to another machine, or opened before a port came to be."""
    with tunnel_of(far).held():
        monkeypatch.setenv("DOCKER_HOST", "ssh://elsewhere")
        with pytest.raises(OperationError, match=r"to me@far \(port 2222\) is open, and DOCKER_HOST is elsewhere"), \
                remote.reached("dev"):
            pass
        monkeypatch.setenv("DOCKER_HOST", far.address)
        monkeypatch.setattr(remote, "settings_before_secrets", lambda folder, stack: settings(free_port()))
        with pytest.raises(OperationError, match="lacks the ports of minio"), remote.reached("dev"):
            pass
        with remote.reached("dev", ports=False):
            assert len(far.calls()) == 1


@pytest.mark.parametrize(("says", "todo"), [
    ("Host key verification failed.", "run `ssh -p 2222 me@far true` once"),
    ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.", r"ssh-keygen -R '\[far\]:2222'"),
    ("me@far: Permission denied (publickey).", "ssh-add"),
    ("ssh: Could not resolve hostname far: Name or service not known", "correct DOCKER_HOST"),
    ("ssh: connect to host far port 2222: Connection refused", "is the machine up"),
    ("bind [127.0.0.1]:9000: Address already in use\nchannel_setup_fwd_listener_tcpip: cannot listen to port: 9000", "portOffset"),
    ("channel 2: open failed: administratively prohibited: open failed", "AllowTcpForwarding")])
def test_ssh_that_cannot_is_explained(far: others.Far, says: str, todo: str) -> None:
    """In its own words, with what to do."""
    far.becomes(says=says)
    with pytest.raises(OperationError, match=todo) as error, remote.reached("dev"):
        pass
    assert says.splitlines()[-1 if "bind" in says else 0].strip("@ ") in str(error.value)
    assert "tunnel-dev.log" in str(error.value) and os.environ["DOCKER_HOST"] == far.address


def test_a_machine_without_docker_is_told_apart(far: others.Far) -> None:
    """The login was well."""
    (far.folder / "docker.sock").unlink()
    with pytest.raises(OperationError, match=rf"Docker does not answer at {far.folder}/docker.sock there"), remote.reached("dev"):
        pass


def test_a_port_that_is_taken_here_is_named(far: others.Far, port: int) -> None:
    """Before ssh is started."""
    with socket.create_server(("127.0.0.1", port)), pytest.raises(OperationError, match=rf"{port} \(minio\).*portOffset"), \
            remote.reached("dev"):
        pass
    assert far.calls() == []


def test_without_ssh(far: others.Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a package."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(OperationError, match="apt-get install openssh-client"), remote.reached("dev"):
        pass


def test_a_path_that_no_socket_can_have(far: others.Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's limit is not the user's to know."""
    monkeypatch.setattr(remote, "STATE", far.folder / ("long" * 30))
    with pytest.raises(OperationError, match="shorter path"), remote.reached("dev"):
        pass


def test_a_report_goes_on_without_docker(far: others.Far, capsys: pytest.CaptureFixture[str]) -> None:
    """It says why there is none, and a client is told so by the socket."""
    far.becomes(says="Host key verification failed.")
    with remote.reached("dev", required=False):
        assert os.environ["DOCKER_HOST"].startswith("unix://")
        with pytest.raises(docker_client.errors.DockerException):
            docker_client.from_env()
    assert "Host key verification failed" in capsys.readouterr().err


def test_a_connection_that_is_lost_is_said(far: others.Far, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever else the command says then; and the one that holds the tunnel fails."""
    with remote.reached("dev"):
        far.kill()
        far.wait_for(alive=0)
        with pytest.raises(OperationError, match="the tunnel is closed"):
            remote.hold("dev")
    assert "no way to Docker on me@far" in capsys.readouterr().err


def test_the_tunnel_is_held_until_it_is_interrupted(far: others.Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no fault."""
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    with remote.reached("dev"):
        monkeypatch.setattr(remote, "time", SimpleNamespace(sleep=interrupted))
        remote.hold("dev")


@pytest.mark.parametrize(("address", "forwarded"), [
    ("127.0.0.1", "127.0.0.1"), ("127.0.0.5", "127.0.0.5"), ("0.0.0.0", "127.0.0.1"), ("10.1.2.3", None)])
def test_only_a_loopback_address_needs_ports(far: others.Far, monkeypatch: pytest.MonkeyPatch, address: str,
                                             forwarded: str | None) -> None:
    """One of the network is reached there."""
    monkeypatch.setattr(remote, "settings_before_secrets", lambda folder, stack: settings(9000, address))
    assert tunnel_of(far).forwards[1:] == ([f"{forwarded}:9000:{forwarded}:9000"] if forwarded else [])


def test_wrong_settings_are_for_the_command_to_tell(far: others.Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker is there all the same."""
    def wrong(folder: Path, stack: str) -> None:
        raise SettingsError(stack, ["clinical:nosuch: no setting has this name"])

    monkeypatch.setattr(remote, "settings_before_secrets", wrong)
    with remote.reached("dev"):
        assert far.calls()[0].count("-L") == 1


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_every_port_that_a_container_publishes_is_brought_here(stack: str) -> None:
    """With the project's own settings."""
    tunnel = remote.Tunnel.of(DockerHost("far"), stack, ports=True)
    containers = platform(stack, images="pull").of_type(CONTAINER).values()
    published = {int(port["external"]) for container in containers for port in container.inputs.get("ports", [])}
    assert published and published <= set(tunnel.ports.values())


@pytest.mark.parametrize(("address", "host"), [
    ("ssh://far", DockerHost("far")), ("ssh://me@far:2222", DockerHost("me@far", "2222")), ("ssh://far/", DockerHost("far")),
    ("ssh://me@[fe80::1]:22", DockerHost("me@fe80::1", "22")),
    ("ssh://me@far/run/user/1000/docker.sock", DockerHost("me@far", None, "/run/user/1000/docker.sock"))])
def test_where_docker_host_leads(address: str, host: DockerHost) -> None:
    """As Docker's own clients read it."""
    assert DockerHost.of(address) == host


@pytest.mark.parametrize("address", ["ssh://", "ssh://me:secret@far", "ssh://far:port", "ssh://a b", "ssh://far:22:23"])
def test_an_address_that_is_none(address: str) -> None:
    """A password is refused, too: it would stand in the list of processes."""
    with pytest.raises(OperationError, match="ssh://user@host:port"):
        DockerHost.of(address)


def test_a_port_of_the_other_machine_is_looked_at_through_the_tunnel(far: others.Far, port: int) -> None:
    """Every port is open at this end; one that leads nowhere is closed at once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with remote.reached("dev"):
            assert not answered("127.0.0.1", port)
        far.wait_for(alive=0)
        far.becomes(ports={port: silent.getsockname()[1]})
        with remote.reached("dev"):
            assert answered("127.0.0.1", port)
    assert not answered("127.0.0.1", port)
