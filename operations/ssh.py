"""OpenSSH's client: what DOCKER_HOST=ssh://… makes it do, and what its errors mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from operations.faults import OperationError

ADDRESS = re.compile(r"ssh://(?P<login>(?:[^\s@:/]+@)?(?:\[[^\]\s/]+\]|[^\s@:/\[\]]+))(?::(?P<port>\d+))?(?P<socket>/\S*)?")
OPTIONS = ("BatchMode=yes", "ConnectTimeout=15", "ExitOnForwardFailure=yes", "ServerAliveInterval=15", "ServerAliveCountMax=4",
           "StreamLocalBindMask=0177", "StreamLocalBindUnlink=yes", "ControlMaster=no", "ControlPath=none")
"""No question, an end where a port is taken or the other side is silent for a minute, and a connection of our own: one that the
user shares between logins would keep the ports when we have ended."""
FORBIDDEN, NO_SOCKET = "open failed: administratively prohibited", "open failed: connect failed: open failed"
ADVICE = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "its key is not the one that ssh knows: ask whoever runs it, and only then forget "
                                               "the old one with `ssh-keygen -R {host}`"),
    ("Host key verification failed", "ssh does not know its key yet: run `ssh {login} true` once, and compare the fingerprint"),
    ("Permission denied", "the login is refused: ssh must log in without a question, with a key that has no passphrase or that "
                          "`ssh-add` has given to the agent; try `ssh {login} true`"),
    ("Could not resolve hostname", "no machine has this name: correct DOCKER_HOST, or name it in ~/.ssh/config"),
    (FORBIDDEN, "its SSH server forbids a part of the tunnel: sshd_config must allow it (AllowTcpForwarding, PermitOpen)"),
    (NO_SOCKET, "Docker does not answer at {socket} there, or the SSH server forbids tunnels: start Docker, let the user use it "
                "(group docker, and a new login), and have AllowTcpForwarding and AllowStreamLocalForwarding in sshd_config. "
                "Another socket is DOCKER_HOST=ssh://user@host/path/docker.sock"),
    ("cannot listen to port", "a port of this machine was taken just now: stop what has it, or set clinical:portOffset"),
    ("", "is the machine up, and does its SSH server listen there? Try `ssh {login} true`"),
)
"""What ssh says, and what to do about it; the first that fits."""


@dataclass(frozen=True)
class DockerHost:
    """Where DOCKER_HOST=ssh://… leads: whom ssh logs in as, at which port where it is told, and Docker's socket there."""

    login: str
    port: str | None = None
    socket: str = "/var/run/docker.sock"

    @classmethod
    def of(cls, address: str) -> DockerHost:
        """From `ssh://[user@]host[:port][/path/of/the/socket]`. Raises OperationError."""
        found = ADDRESS.fullmatch(address)
        if found is None:
            raise OperationError(f"DOCKER_HOST={address} is no address of a Docker host; write ssh://user@host or "
                                 "ssh://user@host:port, and leave the password to ssh's keys")
        path = found["socket"] or ""
        return cls(found["login"].replace("[", "").replace("]", ""), found["port"], path if path.strip("/") else cls.socket)

    def __str__(self) -> str:
        return f"{self.login}{f' (port {self.port})' if self.port else ''}"

    def command(self, forwards: Sequence[str]) -> list[str]:
        """The SSH client with everything that it brings here, and no shell there."""
        options = [word for option in OPTIONS for word in ("-o", option)] + (["-p", self.port] if self.port else [])
        return ["ssh", "-N", "-T", *options, *(word for forward in forwards for word in ("-L", forward)), "--", self.login]

    def fault(self, said: str, log: Path) -> OperationError:
        """Why there is no tunnel: ssh's own words, and what to do."""
        sign, todo = next((sign, words) for sign, words in ADVICE if sign in said)
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        shown = next((line for line in lines if sign and sign in line), lines[-1] if lines else "ssh says nothing")
        name, port = self.login.rpartition("@")[2], self.port
        todo = todo.format(host=f"'[{name}]:{port}'" if port else name, socket=self.socket,
                           login=f"-p {port} {self.login}" if port else self.login)
        return OperationError(f"there is no way to Docker on {self}: {shown}\nWhat to do: {todo}. All that ssh said: {log}")
