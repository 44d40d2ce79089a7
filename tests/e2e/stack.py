"""A stack of its own for tests: project folder, state, passphrase, secrets and ports that nobody else uses."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import docker.errors
import yaml
from docker.models.containers import Container

import toolchain
from components.settings import layer_kinds

TREE = Path(__file__).parents[2]
LOGS = TREE / ".logs" / "e2e"
FOLDER_PREFIX = f"clinical-e2e-{os.getpid()}-"
"""Folders of this process; the number tells a later run whether anybody still uses one."""
NAME_PREFIX = "e2e-"
IMAGE_LABEL = "clinical.e2e"
"""Marks images that only tests make; none outlives its run."""
LAST_LINES = 40

Filters = dict[str, str | list[str] | bool]


class Failed(AssertionError):
    """A `pulumi` command ended otherwise than it should have; says which, its last lines and its log."""


class Stack:
    """One throw-away stack. `secrets` holds its generated passwords by name, `offset` what its ports are moved by."""

    def __init__(
        self, kind: str, offset: int, client: docker.DockerClient, config: Mapping[str, str] | None = None,
        prefix: str = NAME_PREFIX,
    ) -> None:
        self.name = f"{prefix}{kind}-{secrets.token_hex(3)}" if kind else f"{prefix}{secrets.token_hex(4)}"
        self.offset, self.client = offset, client
        self.logs = LOGS / self.name
        self.logs.mkdir(parents=True, exist_ok=True)
        self.project = yaml.safe_load((TREE / "Pulumi.yaml").read_text())
        self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        self.secrets = {
            name: secrets.token_hex(16) for kind_ in layer_kinds().values() for name in kind_.secrets
        }
        self._runs = 0
        self._make_checkout()
        self.pulumi("stack", "init", self.name)
        self._set("--secret", {f"secrets.{name}": value for name, value in self.secrets.items()})
        self.configure({"portOffset": str(offset), "images": "build", **(config or {})})

    def _make_checkout(self) -> None:
        # A copy of the tree, as a clone is: `./pipeline` in it finds this stack as it finds a user's, and nobody else's.
        own = [entry for entry in TREE.iterdir() if not entry.name.startswith((".", "Pulumi."))]
        for entry in (*own, TREE / ".dockerignore", TREE / "Pulumi.yaml"):
            copy = shutil.copytree if entry.is_dir() else shutil.copy2
            copy(entry, self.folder / entry.name)
        (self.folder / ".venv").symlink_to(TREE / ".venv")
        (self.folder / ".logs").symlink_to(self.logs)
        self.backend.mkdir(mode=0o700)
        (self.backend / "passphrase").write_text(self.name)

    @property
    def backend(self) -> Path:
        """The folder with the stack's state and its passphrase."""
        return self.folder / ".state"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that `pulumi` runs with; nothing of the user's own stacks."""
        own = {k: v for k, v in os.environ.items()
               if not k.startswith(("PULUMI_CONFIG", "PULUMI_BACKEND", "PULUMI_STACK", "PULUMI_ACCESS"))}
        return {
            **own,
            **toolchain.environment(),
            "PULUMI_BACKEND_URL": f"file://{self.backend}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.backend / "passphrase"),
            "NO_COLOR": "1",
        }

    def configure(self, values: Mapping[str, str]) -> None:
        """Sets `clinical:<key>`; a key may be a path (`layers.storage`, `leaveOut[0]`)."""
        self._set("--plaintext", values)

    def switch(self, state: str, layers: Iterable[str]) -> None:
        """Writes the wanted state of these layers into the configuration."""
        self.configure({f"layers.{layer}": state for layer in layers})

    def _set(self, flag: str, values: Mapping[str, str]) -> None:
        pairs = [part for key, value in values.items() for part in (flag, f"clinical:{key}={value}")]
        self.pulumi("config", "set-all", "--path", *pairs)

    def command(self, *arguments: str) -> list[str]:
        """The command line of `pulumi` for this stack."""
        select = [] if arguments[0] == "stack" and arguments[1] == "init" else ["--stack", self.name]
        return ["pulumi", *arguments, *select, "--non-interactive", "--color", "never"]

    @contextmanager
    def running(self, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
        """Runs `pulumi` in the background, in a process group of its own as a terminal would; yields it and its log."""
        self._runs += 1
        log = self.logs / f"{self._runs:02}-{'-'.join(a for a in arguments[:2] if not a.startswith('-'))}.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield process, log
            except BaseException:
                process.terminate()
                raise

    def pulumi(self, *arguments: str, fails: bool = False) -> str:
        """Runs `pulumi` to its end and returns all it printed. Raises Failed unless it succeeds (or, with `fails`, fails)."""
        with self.running(*arguments) as (process, log):
            status = process.wait()
        text = log.read_text(errors="replace")
        if (status != 0) is not fails:
            end = "\n".join(text.splitlines()[-LAST_LINES:])
            wanted = "succeeded, it should have failed" if fails else f"ended with status {status}"
            raise Failed(
                f"pulumi {' '.join(arguments[:2])} of {self.name} {wanted}; log {log}, its end:\n{end}"
            )
        return text

    def up(self, *options: str) -> str:
        """Brings the stack to what its configuration says."""
        return self.pulumi("up", "--yes", "--skip-preview", *options)

    def refresh(self, *urns: str) -> str:
        """Reads the given resources, or all, from where they really are."""
        return self.pulumi("refresh", "--yes", "--skip-preview", *(part for urn in urns for part in ("--target", urn)))

    def destroy(self) -> str:
        """Removes everything of the stack."""
        return self.pulumi("destroy", "--yes", "--skip-preview")

    def state(self) -> dict[str, Any]:
        """The stack's state as `pulumi stack export` gives it."""
        exported: dict[str, Any] = json.loads(self.pulumi("stack", "export"))
        return exported

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        found: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json"))
        return found

    def container_urns(self) -> dict[str, str]:
        """The URN of each container, by service."""
        return {
            r["urn"].rpartition("::")[2]: r["urn"]
            for r in self.state()["deployment"].get("resources", [])
            if r["type"] == "docker:index/container:Container"
        }

    def locked(self) -> bool:
        """Whether an update that was cut off holds the stack."""
        return any((self.backend / ".pulumi" / "locks").rglob("*.json"))

    def named(self, what: str) -> str:
        """The name that Docker knows a container, volume or network of this stack by."""
        return f"{self.project['name']}-{self.name}-{what}"

    def port(self, name: str) -> int:
        """A published port."""
        return next(kind.default_ports[name] for kind in layer_kinds().values() if name in kind.default_ports) + self.offset

    def containers(self) -> dict[str, Container]:
        """Every container of the platform's services, running or not, by service."""
        return {name: found for name, found in self._all().items() if not is_task(found)}

    def tasks(self) -> dict[str, Container]:
        """Every container that runs to its end, by task."""
        return {name: found for name, found in self._all().items() if is_task(found)}

    def _all(self) -> dict[str, Container]:
        # A container may go between the list and the look at each: while an update runs, some do.
        found = self.client.containers.list(
            all=True, filters={"label": [f"clinical.stack={self.name}", "clinical.service"]}, ignore_removed=True
        )
        return {container.labels["clinical.service"]: container for container in found}

    def unhealthy(self) -> dict[str, str]:
        """Services that are not running and healthy, and what they are instead."""
        states = {service: c.attrs["State"] for service, c in self.containers().items()}
        return {
            service: f"{s['Status']}, {s.get('Health', {}).get('Status', 'no health check')}"
            for service, s in states.items()
            if s["Status"] != "running" or s.get("Health", {}).get("Status") != "healthy"
        }

    def images_outside(self, prefix: str) -> dict[str, list[str]]:
        """Services whose image has no name that begins with `prefix`, and the names that it has."""
        tags = {service: c.image.tags if c.image else [] for service, c in self.containers().items()}
        return {service: names for service, names in tags.items() if not any(name.startswith(prefix) for name in names)}

    def execute(self, service: str, *command: str) -> str:
        """Runs a command in a service's container and returns its output. Raises AssertionError when it fails."""
        status, output = self.containers()[service].exec_run(list(command))
        assert isinstance(output, bytes)
        text = output.decode(errors="replace")
        assert status == 0, f"{' '.join(command)} in {service} ended with {status}: {text[-2000:]}"
        return text

    def keep_logs(self) -> None:
        """Writes the log and the state of every container beside pulumi's output."""
        for service, container in self._all().items():
            (self.logs / f"{service}.log").write_bytes(container.logs(timestamps=True, tail=5000))
            (self.logs / f"{service}.json").write_text(json.dumps(container.attrs["State"], indent=1))

    def remove(self) -> None:
        """Removes whatever is left, also by force, and the stack's folder."""
        if any(self.backend.rglob(f"{self.name}.json")):
            try:
                if self.locked():
                    self.pulumi("cancel", "--yes")
                self.pulumi("destroy", "--yes", "--skip-preview", "--continue-on-error")
            except Failed as failure:
                (self.logs / "destroy-failed.txt").write_text(str(failure))
        remove_by_label(self.client, self.name)
        shutil.rmtree(self.folder, ignore_errors=True)


def is_task(container: Container) -> bool:
    """Whether a container runs to its end, once."""
    return bool(container.attrs["HostConfig"]["RestartPolicy"]["Name"] in ("", "no"))


def left(client: docker.DockerClient, stack: str) -> list[str]:
    """What Docker still holds of a stack: containers, volumes and networks, by label and by name."""
    by_label: Filters = {"label": f"clinical.stack={stack}"}
    by_name: Filters = {"name": f"-{stack}-"}
    found = [
        f"{kind} {thing.name}"
        for filters in (by_label, by_name)
        for kind, things in (
            ("container", client.containers.list(all=True, filters=filters)),
            ("volume", client.volumes.list(filters=filters)),
            ("network", client.networks.list(filters=filters)),
        )
        for thing in things
    ]
    return sorted(set(found))


def remove_by_label(client: docker.DockerClient, stack: str) -> None:
    """Forced removal of all that carries the stack's label."""
    filters: Filters = {"label": f"clinical.stack={stack}"}
    for container in client.containers.list(all=True, filters=filters, ignore_removed=True):
        with suppress(docker.errors.NotFound):  # an update that was killed may still have asked for its end
            container.remove(force=True, v=True)
    for volume in client.volumes.list(filters=filters):
        volume.remove(force=True)
    for network in client.networks.list(filters=filters):
        network.remove()


def remove_images(client: docker.DockerClient) -> None:
    """Removes the images that only tests make."""
    for image in client.images.list(filters={"label": IMAGE_LABEL}):
        client.images.remove(str(image.id), force=True)


def remove_leftovers(client: docker.DockerClient, prefix: str = NAME_PREFIX) -> list[str]:
    """Removes what runs before this one left behind; returns the names of their stacks. Call it under the run lock."""
    label = "clinical.stack"
    things = [
        *(c.labels for c in client.containers.list(all=True, filters={"label": label}, ignore_removed=True)),
        *(v.attrs["Labels"] for v in client.volumes.list(filters={"label": label})),
        *(n.attrs["Labels"] for n in client.networks.list(filters={"label": label})),
    ]
    stacks = sorted({labels[label] for labels in things if labels[label].startswith(prefix)})
    for stack in stacks:
        remove_by_label(client, stack)
    remove_images(client)
    for folder in Path(tempfile.gettempdir()).glob("clinical-e2e-*-*"):
        if not Path("/proc", folder.name.split("-")[2]).exists():
            shutil.rmtree(folder, ignore_errors=True)
    return stacks
