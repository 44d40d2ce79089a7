"""What all layers share: their names, labels, switch and registration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.catalog import Catalog
from components.contracts import HttpService, Observed
from components.settings import LayerSettings, Platform, State


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where a part stands: which project, stack and layer, and whether that layer runs."""

    project: str
    stack: str
    layer: str
    state: State
    platform: Platform
    catalog: Catalog
    services: list[Observed] = field(default_factory=list, compare=False)
    """Every service that runs in this scope; each notes itself down, so that none can be forgotten."""

    @classmethod
    def of(cls, settings: LayerSettings) -> Scope:
        """The scope of the layer with these settings."""
        return cls(project=pulumi.get_project(), stack=settings.stack, layer=settings.layer, state=settings.state,
                   platform=settings.platform, catalog=settings.catalog)

    @property
    def running(self) -> bool:
        """Whether containers shall exist."""
        return self.state is State.RUNNING

    @property
    def keeps_data(self) -> bool:
        """Whether volumes, buckets, databases and topics shall exist."""
        return self.state is not State.ABSENT

    @property
    def protect(self) -> bool:
        """Whether Pulumi refuses to delete what holds data."""
        return self.platform.protect

    def name(self, of: str) -> str:
        """A name on the Docker host: two stacks on one machine never share one."""
        return f"{self.project}-{self.stack}-{of}"

    def labels(self, service: str | None = None) -> dict[str, str]:
        """Labels of everything that Docker holds for this layer."""
        labels = {"clinical.project": self.project, "clinical.stack": self.stack, "clinical.layer": self.layer}
        return {**labels, "clinical.service": service} if service else labels


class Layer(pulumi.ComponentResource):
    """One layer of the platform: a component whose children are the layer's parts.

    A layer that is switched off still registers this component and one child that records its state: a `depends_on`
    on a component without children is lost, and with it the order of everything behind it (pulumi/pulumi#8721).
    """

    scope: Scope
    pages: tuple[HttpService, ...]
    """What of this layer answers HTTP on the host."""

    def __init__(self, kind: str, name: str, settings: LayerSettings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"clinical:layer:{kind}", name, None, opts)
        self.scope = Scope.of(settings)
        self.pages = ()
        pulumi.Stash(f"{name}-state", input={"layer": name, "state": self.scope.state.value}, opts=child_of(self))

    @property
    def observed(self) -> tuple[Observed, ...]:
        """Every service of this layer that runs."""
        return tuple(self.scope.services)

    def finish(self, outputs: Mapping[str, Any], pages: tuple[HttpService, ...] = ()) -> None:
        """Registers the layer's outputs; the last thing that a layer does."""
        self.pages = pages if self.scope.running else ()
        self.register_outputs({"state": self.scope.state.value, **outputs})


def child_of(parent: pulumi.Resource, **more: Any) -> pulumi.ResourceOptions:
    """Options of a child of `parent`."""
    return pulumi.ResourceOptions(parent=parent, **more)


def after(*layers: Layer) -> pulumi.ResourceOptions:
    """Options of a layer that starts when all resources of `layers` exist."""
    return pulumi.ResourceOptions(depends_on=list(layers))


def urls(*layers: Layer) -> dict[str, str]:
    """Where every published page and interface is, by service."""
    return {page.name: page.url for layer in layers for page in layer.pages if page.url}
