"""A Docker host that is another machine: one SSH connection brings its Docker socket and the stack's ports here.

Every address then stays as it is, for Docker's clients, the engine, its plugins and the probes. The socket has one place for each
stack, since a plugin may keep that place in the stack's state. Commands that run side by side share the connection.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from components.settings import SettingsError
from operations.faults import OperationError
from operations.setup.checks import SetupError, taken
from operations.setup.stack import settings_before_secrets
from operations.showing import notes, say
from operations.ssh import FORBIDDEN, NO_SOCKET, DockerHost

VARIABLE, SCHEME, LOOPBACK = "DOCKER_HOST", "ssh://", IPv4Address("127.0.0.1")
PROJECT_FOLDER = Path(__file__).parent.parent
STATE, LOGS = PROJECT_FOLDER / ".state", PROJECT_FOLDER / ".logs"
OPEN_SECONDS, ANSWER_SECONDS, LOOK_SECONDS = 60, 10, 5
LONGEST = 100
"""Bytes of a socket's path; the kernel takes 107."""


@dataclass(frozen=True)
class Tunnel:
    """The way to a stack on another Docker host: the ports to bring here by name, and the address that they have there and here."""

    host: DockerHost
    stack: str
    ports: Mapping[str, int]
    address: str

    @classmethod
    def of(cls, host: DockerHost, stack: str, ports: bool) -> Tunnel:
        """With the ports of the stack's settings, if they are wanted. Faults of the settings are for the command itself to tell."""
        found, address = dict[str, int](), LOOPBACK
        if ports:
            try:
                settings = settings_before_secrets(PROJECT_FOLDER, stack)
                found = {name: port for layer in settings.layers() for name, port in layer.published().items()}
                address = settings.platform.bind_address
            except (SettingsError, SetupError):
                pass
        if address.is_unspecified:
            address = LOOPBACK
        # Ports on an address of the network are reached there.
        return cls(host, stack, found if address.is_loopback else {}, str(address))

    def file(self, suffix: str) -> Path:
        """A file of this stack's tunnel."""
        return STATE / f"docker-{self.stack}.{suffix}"

    @property
    def log(self) -> Path:
        """What ssh says."""
        return LOGS / f"tunnel-{self.stack}.log"

    def said(self) -> str:
        """What it has said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def forwards(self) -> list[str]:
        """What is brought here, as ssh is told."""
        ports = [f"{self.address}:{port}:{self.address}:{port}" for port in sorted(self.ports.values())]
        return [f"{self.file('sock')}:{self.host.socket}", *ports]

    def answers(self) -> bool:
        """Whether Docker answers at this end."""
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(ANSWER_SECONDS)
                probe.connect(str(self.file("sock")))
                probe.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
                return b" 200 " in probe.recv(64)
        except OSError:
            return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Opens the tunnel, or takes part in the one that is open. Raises OperationError."""
        if len(os.fsencode(self.file("sock"))) > LONGEST:
            raise OperationError(f"{self.file('sock')} is too long for the path of a socket; move the project to a shorter path")
        STATE.mkdir(mode=0o700, exist_ok=True)
        LOGS.mkdir(exist_ok=True)
        with self.file("users").open("a") as users:
            fcntl.flock(users, fcntl.LOCK_SH)  # waits while an earlier tunnel is being closed
            with self.file("held").open("a+") as held:
                fcntl.flock(held, fcntl.LOCK_EX)  # one opens it, the others find it
                if self.answers():
                    held.seek(0)
                    self.compare(held.read().splitlines())
                else:
                    with notes.status(f"connecting to {self.host}"):
                        self.open()
                    held.truncate(0)
                    held.write("\n".join([str(self.host), *self.forwards]))
            yield

    def compare(self, held: Sequence[str]) -> None:
        """Raises OperationError where the tunnel that is open leads elsewhere, or lacks a port."""
        there = held[0] if held else ""
        if there != str(self.host):
            raise OperationError(f"a tunnel of the stack {self.stack} to {there} is open, and {VARIABLE} is {self.host}: end the "
                                 "commands that use it first (`./pipeline all tunnel` does until Ctrl-C)")
        if lacking := sorted({name for name, port in self.ports.items()
                              if f"{self.address}:{port}:{self.address}:{port}" not in held}):
            raise OperationError(f"the open tunnel of the stack {self.stack} lacks the ports of {', '.join(lacking)}, since the "
                                 "settings were others when it was opened: end the commands that use it (`./pipeline all tunnel` "
                                 "does until Ctrl-C), then run this one again")

    def open(self) -> None:
        """Starts ssh and waits until Docker answers. Raises OperationError."""
        if shutil.which("ssh") is None:
            raise OperationError(f"{VARIABLE} is {SCHEME}…, and there is no `ssh`: install OpenSSH's client (Debian: "
                                 "`apt-get install openssh-client`)")
        if busy := [f"{port} ({name})" for name, port in self.ports.items() if taken(self.address, port)]:
            raise OperationError(f"other programs of this machine use what the tunnel to {self.host} needs: port "
                                 f"{', '.join(busy)}; stop them (a tunnel that lost its connection ends within a minute), or "
                                 f"move the stack: `./pipeline pulumi config set clinical:portOffset 10000 --stack {self.stack}`")
        self.file("sock").unlink(missing_ok=True)
        with self.log.open("w") as log:
            # In a session of its own: Ctrl-C is for the engine, which still needs the tunnel to end what it has begun.
            keeper = subprocess.Popen([sys.executable, "-m", "operations.tunnel", str(self.file("users")),
                                       *self.host.command(self.forwards)], cwd=PROJECT_FOLDER, stdin=subprocess.DEVNULL,
                                      stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + OPEN_SECONDS
        while not self.answers():
            ended = keeper.poll() is not None
            if ended or time.monotonic() > end or any(sign in self.said() for sign in (FORBIDDEN, NO_SOCKET)):
                raise self.host.fault(self.said(), self.log)
            time.sleep(0.1)


_open: list[Tunnel] = []


def elsewhere() -> Tunnel | None:
    """The tunnel in use; None where Docker is on this machine."""
    return _open[-1] if _open else None


@contextmanager
def reached(stack: str, *, ports: bool = True, required: bool = True) -> Iterator[None]:
    """Within it DOCKER_HOST is a socket of this machine, if it was ssh://… before.

    Raises OperationError where there is no way to that host; unless it is `required`, says so and goes on without Docker.
    """
    given = os.environ.get(VARIABLE, "")
    if not given.startswith(SCHEME):
        yield
        return
    tunnel = Tunnel.of(DockerHost.of(given), stack, ports)
    with ExitStack() as closing:
        there = True
        try:
            closing.enter_context(tunnel.held())
        except OperationError as error:
            if required:
                raise
            there = False
            say(str(error))
        os.environ[VARIABLE] = f"unix://{tunnel.file('sock')}"
        _open.append(tunnel)
        try:
            yield
        finally:
            _open.remove(tunnel)
            os.environ[VARIABLE] = given
            if there and (FORBIDDEN in tunnel.said() or not tunnel.answers()):
                say(str(tunnel.host.fault(tunnel.said(), tunnel.log)))


def hold(stack: str) -> None:
    """Holds the tunnel until Ctrl-C. Raises OperationError where there is none, or none any more."""
    tunnel = elsewhere()
    if tunnel is None:
        raise OperationError(f"{VARIABLE} names no other machine, so there is nothing to bring here; "
                             f"`{VARIABLE}=ssh://user@host ./pipeline all tunnel --stack {stack}` does for one that it names")
    say(f"{tunnel.host}: Docker and {len(tunnel.ports)} ports are here until Ctrl-C")
    try:
        while tunnel.answers():
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        return
    raise OperationError("the tunnel is closed; the same command opens it again")
