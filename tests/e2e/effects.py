"""What a command did and did not do: a stack as it is at one time, to compare with another time."""

from __future__ import annotations

from dataclasses import dataclass

from tests.e2e.stack import Stack, left


@dataclass(frozen=True)
class Seen:
    """The identity and state of each container by service, what Docker holds of the stack by name, the stack's file, and how many
    updates there were."""

    containers: dict[str, tuple[str, str]]
    things: frozenset[str]
    configuration: str
    updates: int

    def volumes(self) -> set[str]:
        """The names of the volumes."""
        return {name.removeprefix("volume ") for name in self.things if name.startswith("volume ")}


def seen(stack: Stack) -> Seen:
    """The stack now."""
    containers = {service: (str(container.id), str(container.status)) for service, container in stack.containers().items()}
    history = stack.backend / ".pulumi" / "history"
    return Seen(containers, frozenset(left(stack.client, stack.name)), (stack.folder / f"Pulumi.{stack.name}.yaml").read_text(),
                sum(1 for _ in history.rglob("*.history.json")))


def renewed(before: Seen, after: Seen) -> set[str]:
    """The services whose container is another one than before."""
    return {service for service, (identity, _) in after.containers.items() if before.containers.get(service, ("",))[0] != identity}


def of_layer(stack: Stack, layer: str) -> set[str]:
    """The services of a layer that have a container."""
    return {service for service, container in stack.containers().items() if container.labels["clinical.layer"] == layer}


def volumes_of(stack: Stack, *layers: str) -> set[str]:
    """The names of the volumes of these layers."""
    found = stack.client.volumes.list(filters={"label": f"clinical.stack={stack.name}"})
    return {str(volume.name) for volume in found if volume.attrs["Labels"]["clinical.layer"] in layers}
