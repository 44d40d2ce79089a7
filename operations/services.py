"""What really runs, from Docker itself, beside what should."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import docker
import requests
from docker.errors import DockerException
from docker.models.containers import Container

from components.settings import State
from operations.stack import PROJECT, OperationError


@dataclass(frozen=True)
class ServiceStatus:
    """One service: what Docker says of its container, or `missing` where the stack has one and Docker has not."""

    layer: str
    service: str
    state: str
    health: str
    since: str = ""
    restarts: int = 0
    image: str = ""
    ports: str = ""

    @property
    def up(self) -> bool:
        """Whether it runs and is healthy."""
        return self.state == "running" and self.health in ("healthy", "none")


def connect() -> docker.DockerClient:
    """The Docker daemon. Raises OperationError when it does not answer."""
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except (DockerException, requests.RequestException) as error:
        raise OperationError(f"Docker does not answer ({str(error).splitlines()[0]}); `make up` starts it where it may, "
                             "or set DOCKER_HOST") from None
    return client


def found(client: docker.DockerClient, stack: str, layer: str | None = None) -> list[Container]:
    """The stack's containers, running or not; of one layer if it is named."""
    labels = [f"clinical.project={PROJECT}", f"clinical.stack={stack}"] + ([f"clinical.layer={layer}"] if layer else [])
    return sorted(client.containers.list(all=True, filters={"label": labels}), key=lambda c: c.labels["clinical.service"])


def statuses(containers: Iterable[Container], expected: dict[str, str]) -> list[ServiceStatus]:
    """The status of each container, and of each expected service (with its layer) that has none."""
    rows = [status(container) for container in containers]
    seen = {row.service for row in rows}
    rows += [ServiceStatus(layer, service, "missing", "none") for service, layer in expected.items() if service not in seen]
    return sorted(rows, key=lambda row: (row.layer, row.service))


def status(container: Container) -> ServiceStatus:
    """What Docker says of one container."""
    attributes = container.attrs
    state = attributes["State"]
    bindings = attributes["NetworkSettings"]["Ports"] or {}
    ports = sorted({f"{b['HostIp']}:{b['HostPort']}" for bound in bindings.values() for b in bound or []})
    return ServiceStatus(
        layer=container.labels["clinical.layer"], service=container.labels["clinical.service"], state=state["Status"],
        health=state.get("Health", {}).get("Status", "none"), since=state["StartedAt"][:19].replace("T", " "),
        restarts=attributes["RestartCount"], image=attributes["Config"]["Image"].removeprefix("sha256:")[:24],
        ports=" ".join(ports))


def verdict(rows: Iterable[ServiceStatus], wanted: State, has_services: bool) -> str:
    """What a layer is: `up` only if every service of it is; `degraded` names a layer that half runs."""
    rows = list(rows)
    if wanted is not State.RUNNING:
        return wanted.value if not rows else "degraded"
    if not has_services:
        return "up"
    if rows and all(row.up for row in rows):
        return "up"
    return "degraded" if any(row.state == "running" for row in rows) else "down"


def as_json(rows: Iterable[ServiceStatus]) -> list[dict[str, object]]:
    """Rows for `--json`."""
    return [asdict(row) for row in rows]
