"""Containers as the platform runs them: no capability, a read-only root, named volumes, little memory."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import docker
import docker.errors
from docker.models.containers import Container

LABEL = "clinical.test=images"
PATIENCE = 120
"""Seconds until what never happens counts as a failure."""


def until(condition: Callable[[], bool], what: str, container: Container | None = None) -> None:
    """Waits for a condition; fails with the container's last lines when that or the container ends first."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        ended = container is not None and state_of(container) in ("exited", "dead")
        if ended or time.monotonic() > deadline:
            logs = container.logs(tail=20).decode(errors="replace") if container else ""
            raise AssertionError(f"{what}: {'the container ended' if ended else 'it took too long'}\n{logs}")
        time.sleep(0.1)


def state_of(container: Container) -> str:
    """The container's state, asked anew."""
    container.reload()
    return str(container.status)


def run(
    container: Container, *command: str, environment: Mapping[str, str] | None = None, user: str = ""
) -> tuple[int, str]:
    """Runs a command in a container; its exit status and all that it printed."""
    found = container.exec_run(list(command), environment=dict(environment or {}), user=user)
    assert isinstance(found.exit_code, int) and isinstance(found.output, bytes)
    return found.exit_code, found.output.decode(errors="replace")


@dataclass
class Boxes:
    """Makes containers, volumes and one network with names of their own, and removes them all."""

    client: docker.DockerClient
    made: list[Any] = field(default_factory=list)
    prefix: str = f"images-test-{os.getpid()}"
    count: int = 0

    def name(self) -> str:
        """A new name."""
        self.count += 1
        return f"{self.prefix}-{self.count}"

    def network(self) -> str:
        """A network; containers on it find each other by alias."""
        network = self.client.networks.create(self.name(), labels=dict([LABEL.split("=")]))
        self.made.append(network)
        return str(network.name)

    def volume(self) -> str:
        """An empty volume."""
        volume = self.client.volumes.create(self.name(), labels=dict([LABEL.split("=")]))
        self.made.append(volume)
        return str(volume.name)

    def start(
        self,
        image: str,
        command: Sequence[str],
        *,
        user: str,
        volumes: Mapping[str, str],
        memory: str,
        environment: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        tmpfs: Sequence[str] = ("/tmp",),
        network: str | None = None,
        alias: str = "",
    ) -> Container:
        """A hardened container. `files` (by path below a volume) are put there first, for `user` alone."""
        container = self.client.containers.create(
            image,
            list(command[1:]),
            entrypoint=[command[0]],
            name=self.name(),
            user=user,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            read_only=True,
            mem_limit=memory,
            memswap_limit=memory,
            tmpfs={path: "mode=1777" for path in tmpfs},
            environment=dict(environment or {}),
            volumes={name: {"bind": path} for name, path in volumes.items()},
            labels=dict([LABEL.split("=")]),
            network_mode=None if network else "none",
        )
        self.made.append(container)
        if network:
            self.client.networks.get("bridge").disconnect(container)
            self.client.networks.get(network).connect(container, aliases=[alias])
        for path, text in (files or {}).items():
            put(container, path, text, int(user.split(":")[0]))
        container.start()
        return container

    def clean(self) -> None:
        """Removes what was made, the newest first."""
        for thing in reversed(self.made):
            with contextlib.suppress(docker.errors.NotFound):
                if hasattr(thing, "connect"):
                    thing.remove()  # a network, which cannot be forced
                else:
                    thing.remove(force=True)
        self.made.clear()


def put(container: Container, path: str, text: str, owner: int, mode: int = 0o500) -> None:
    """Puts a file into a container."""
    folder, _, name = path.rpartition("/")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.uid, entry.gid = len(text.encode()), mode, owner, owner
        archive.addfile(entry, io.BytesIO(text.encode()))
    assert container.put_archive(folder, buffer.getvalue())
