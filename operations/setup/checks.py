"""What a machine must have before anything starts: every problem at once, each with what to do about it."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

GIB = 1 << 30
MEMORY_GIB = 12
DISK_GIB = 20
ANSWER_SECONDS = 2
"""How long another machine's port may take to close a connection that leads nowhere."""


class SetupError(Exception):
    """Set-up cannot go on; the message says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class Machine:
    """What was found: total memory and free disk in bytes, whether Docker answers, whether it can be installed.

    `disk` is None where nobody can tell: Docker does not say it of another machine.
    """

    memory: int
    disk: int | None
    docker_answers: bool
    docker_installable: bool
    docker_error: str = ""


def machine(folder: Path, docker_error: str | None, memory: int | None, *, elsewhere: bool) -> Machine:
    """Looks at this machine. `docker_error` is why Docker does not answer, None when it does and knows the `memory` of its host,
    which is `elsewhere` where it is not this one."""
    installable = os.geteuid() == 0 and shutil.which("apt-get") is not None and not os.environ.get("DOCKER_HOST")
    return Machine(memory=total_memory() if memory is None else memory,
                   disk=None if elsewhere else shutil.disk_usage(folder).free, docker_answers=docker_error is None,
                   docker_installable=installable, docker_error=docker_error or "")


def total_memory() -> int:
    """The machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def problems(found: Machine, wanted: Mapping[str, int], address: str, own: Iterable[int],
             in_use: Callable[[str, int], bool] | None = None) -> list[str]:
    """Each problem in one sentence with its remedy. `wanted` are host ports by name; `own` those this stack holds now; `in_use`
    looks at one, on this machine unless it is given."""
    in_use = in_use or taken
    faults = []
    if found.memory < MEMORY_GIB * GIB:
        faults.append(f"memory: {found.memory / GIB:.1f} GiB, and the platform needs {MEMORY_GIB} GiB; "
                      "use a larger machine, or switch layers off (clinical:layers in the stack's configuration)")
    if found.disk is not None and found.disk < DISK_GIB * GIB:
        faults.append(f"disk: {found.disk / GIB:.1f} GiB free, and images and data need {DISK_GIB} GiB; free some "
                      "(`docker system df` shows what Docker holds)")
    if not found.docker_answers and not found.docker_installable:
        faults.append(f"Docker does not answer ({found.docker_error}); start it, or set DOCKER_HOST; on Debian, "
                      "`sudo make up` installs and starts it")
    for name, port in sorted(wanted.items()):
        if port not in set(own) and in_use(address, port):
            faults.append(f"port {port} ({name}) is used by another program; stop that, or move this stack: "
                          "`pulumi config set clinical:portOffset 10000`")
    return faults


def taken(address: str, port: int) -> bool:
    """Whether something on this machine listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


def answered(address: str, port: int) -> bool:
    """Whether something listens on the port at the other end of a tunnel, which takes every connection at this end and closes
    those that lead nowhere; or on the port of an address in the network."""
    try:
        with socket.create_connection((address, port), ANSWER_SECONDS) as probe:
            try:
                return probe.recv(1) != b""
            except TimeoutError:
                return True
    except OSError:
        return False
