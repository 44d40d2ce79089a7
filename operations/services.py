"""What really runs, from Docker itself, beside what should."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

import docker
import requests
from docker.errors import DockerException
from docker.models.containers import Container
from rich.console import Console

from components.settings import LayerSettings, State
from operations.faults import OperationError
from operations.images import PROJECT

READY_SECONDS = 120
RECOVERY_SECONDS = 60
"""How long a service may take to be well again that runs and is ill, since what it needs may just have been replaced."""
CHANGING = ("starting", "restarting", "created")


@dataclass(frozen=True)
class ServiceStatus:
    """One service: what Docker says of its container, `missing` where the stack has one and Docker has not, or `done` for
    a task that ended well. `declared` is False for a container that the stack knows nothing of."""

    layer: str
    service: str
    state: str
    health: str
    since: str = ""
    restarts: int = 0
    image: str = ""
    ports: str = ""
    declared: bool = True

    @property
    def up(self) -> bool:
        """Whether it runs and is healthy, or has done its task."""
        return self.state == "done" or (self.state == "running" and self.health in ("healthy", "none"))

    @property
    def gone(self) -> bool:
        """Whether an update brings it back; one that runs and is ill it leaves alone."""
        return self.state in ("missing", "exited", "dead", "created")

    @property
    def patience(self) -> float:
        """Seconds in which it may become healthy without anybody's help."""
        if self.state in CHANGING or self.health in CHANGING:
            return READY_SECONDS
        return RECOVERY_SECONDS if self.state == "running" else 0


def connect() -> docker.DockerClient:
    """The Docker daemon. Raises OperationError when it does not answer."""
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except (DockerException, requests.RequestException) as error:
        raise OperationError(f"Docker does not answer ({str(error).splitlines()[0]}); `make up` starts it where it may, or "
                             "set DOCKER_HOST; your user must be allowed to use it (group docker)") from None
    return client


def found(client: docker.DockerClient, stack: str) -> list[Container]:
    """The stack's containers, running or not."""
    labels = [f"clinical.project={PROJECT}", f"clinical.stack={stack}", "clinical.service"]
    containers = client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
    return sorted(containers, key=lambda c: c.labels["clinical.service"])


def image_names(client: docker.DockerClient) -> dict[str, str]:
    """A name of each image that has one, by its identity."""
    return {image["Id"]: image["RepoTags"][0] for image in client.api.images() if image.get("RepoTags")}


def statuses(containers: Iterable[Container], services: Mapping[str, str], wanted: Mapping[str, State] | None = None,
             images: Mapping[str, str] | None = None) -> list[ServiceStatus]:
    """The status of each container, and of each declared service (with its layer) that should have one and has not.

    `images` has names of images by identity. A service of a layer that is not wanted to run is not missed.
    """
    rows = [replace(row, declared=row.service in services) for row in (status(c, images or {}) for c in containers)]
    seen = {row.service for row in rows}
    rows += [ServiceStatus(layer, service, "missing", "none") for service, layer in services.items()
             if service not in seen and (wanted is None or wanted.get(layer) is State.RUNNING)]
    return sorted(rows, key=lambda row: (row.layer, row.service))


def status(container: Container, images: Mapping[str, str]) -> ServiceStatus:
    """What Docker says of one container."""
    attributes = container.attrs
    state, image = attributes["State"], attributes["Config"]["Image"]
    bindings = attributes["NetworkSettings"]["Ports"] or {}
    ports = sorted({f"{b['HostIp']}:{b['HostPort']}" for bound in bindings.values() for b in bound or []})
    task = attributes.get("HostConfig", {}).get("RestartPolicy", {}).get("Name") == "no"
    done = task and state["Status"] == "exited" and state["ExitCode"] == 0
    return ServiceStatus(
        layer=container.labels["clinical.layer"], service=container.labels["clinical.service"],
        state="done" if done else state["Status"],
        # Docker keeps the last word of a check that is no longer made.
        health=(state.get("Health") or {}).get("Status", "none") if state["Status"] == "running" else "none",
        since=state["StartedAt"][:19].replace("T", " "), restarts=attributes["RestartCount"],
        image=images.get(image, image.removeprefix("sha256:")[:24]), ports=" ".join(ports))


def verdict(rows: Iterable[ServiceStatus], wanted: State, has_services: bool) -> str:
    """What a layer's containers make of it: `up` only if every service is; `degraded` names a layer that half runs."""
    rows = list(rows)
    services = [row for row in rows if row.declared]
    if wanted is not State.RUNNING:
        return wanted.value if not rows else "degraded"
    if not has_services or (services and all(row.up for row in services)):
        return "up"
    return "degraded" if any(row.state == "running" for row in services) else "down"


def verdicts(rows: Iterable[ServiceStatus], wanted: Mapping[str, State], applied: Mapping[str, str],
             kinds: Mapping[str, type[LayerSettings]], *, last_failed: bool) -> dict[str, str]:
    """What each layer is. `applied` is the state that each had in the last update.

    A layer without services is up if it was brought up by an update that reached its end, and what it needs is up.
    """
    rows, is_ = list(rows), dict[str, str]()
    for layer, kind in kinds.items():
        own = [row for row in rows if row.layer == layer]
        is_[layer] = verdict(own, wanted[layer], bool(kind.images))
        if wanted[layer] is State.RUNNING and applied.get(layer) != State.RUNNING:
            is_[layer] = "degraded" if own else "down"
        elif is_[layer] == "up" and not kind.images and (last_failed or any(is_[need] != "up" for need in kind.needs)):
            is_[layer] = "degraded"
    return is_


def as_json(rows: Iterable[ServiceStatus]) -> list[dict[str, object]]:
    """Rows for `--json`."""
    return [asdict(row) for row in rows]


def wait_until_up(client: docker.DockerClient, stack: str, services: Mapping[str, str], layers: Iterable[str],
                  console: Console) -> None:
    """Waits while services of these layers are on their way to be healthy. Raises OperationError for those that stay ill.

    An update waits for the containers that it makes; this is about those that were there: restarted, or ill as long as what they
    need was being replaced.
    """
    wanted = dict.fromkeys(layers, State.RUNNING)
    begin, said = time.monotonic(), False
    while True:
        rows = statuses(found(client, stack), services, wanted)
        ill = [row for row in rows if row.layer in wanted and row.declared and not row.up]
        if not ill:
            return
        if time.monotonic() - begin >= max(row.patience for row in ill):
            break
        if not said:
            console.print(f"waiting for {', '.join(row.service for row in ill)}", highlight=False)
            said = True
        time.sleep(1)
    states = ", ".join(f"{row.service} ({row.state}, {row.health})" for row in ill)
    raise OperationError(f"not up: {states}\nWhat to do: `./pipeline all logs {ill[0].service} --stack {stack}` shows why; "
                         f"`./pipeline {ill[0].layer} start-force --stack {stack}` makes new containers, data stays.")
