"""The stack graph, read from the engine's own resources: layers, their services, and what depends on what."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pulumi import automation as auto

from operations.faults import OperationError
from operations.stack import CONTAINER, LAYER, SERVICES, engine

Needs = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Graph:
    """What there is and what it needs, by name: the state of each layer (nothing where it is not known), the layer of each
    service, and the direct needs of layers and of services."""

    layers: Mapping[str, str]
    services: Mapping[str, str]
    layer_needs: Needs
    service_needs: Needs

    @classmethod
    def of(cls, resources: Iterable[Mapping[str, Any]]) -> Graph:
        """Reads resources as the engine keeps them: `urn`, `type`, `dependencies` (URNs), `outputs`."""
        kept = list(resources)
        names = {str(r["type"]): name_of(str(r["urn"])) for r in kept if str(r["type"]).startswith(LAYER)}
        states = {names[str(r["type"])]: str((r.get("outputs") or {}).get("state") or "") for r in kept if r["type"] in names}

        def layer_of(urn: str) -> str | None:
            return names.get(urn.split("::")[2].partition("$")[0])

        services: dict[str, str] = {}
        layer_needs: dict[str, set[str]] = {layer: set() for layer in states}
        service_needs: dict[str, set[str]] = {}
        for resource in kept:
            urn, kind = str(resource["urn"]), str(resource["type"])
            layer, name = layer_of(urn), name_of(urn)
            if layer is None:
                continue
            others = [str(other) for other in resource.get("dependencies") or ()]
            if kind in names:
                # A dependency on a component is one on what the component holds.
                layer_needs[layer] |= {other for urn in others if (other := layer_of(urn)) not in (None, layer)}
            if kind in SERVICES:
                services[name] = layer
            if kind == CONTAINER:
                service_needs[name] = {name_of(other) for other in others if kind_of(other) == CONTAINER}
        # State and plan have different orders; what others need comes first, whichever was read.
        service_needs = {name: service_needs.get(name, set()) & set(services) for name in services}
        layer_rank, service_rank = ranks(layer_needs), ranks(service_needs)
        layers = sorted(states, key=lambda name: (layer_rank[name], name))
        names_of_services = sorted(services, key=lambda name: (layers.index(services[name]), service_rank[name], name))
        return cls({name: states[name] for name in layers}, {name: services[name] for name in names_of_services},
                   ordered({name: layer_needs[name] for name in layers}),
                   ordered({name: service_needs[name] for name in names_of_services}))

    def around(self, layer: str) -> Graph:
        """The part of the graph with the services of one layer and those of others that they need directly; of a layer without
        services, what it needs itself."""
        own = {name for name, of in self.services.items() if of == layer}
        shown = own | {need for name in own for need in self.service_needs[name]}
        services = {name: of for name, of in self.services.items() if name in shown}
        needed = set(services.values()) if own else set(self.layer_needs[layer])
        layers = {name: state for name, state in self.layers.items() if name == layer or name in needed}
        return Graph(layers, services, {name: tuple(need for need in self.layer_needs[name] if need in layers) for name in layers},
                     {name: self.service_needs[name] if name in own else () for name in services})

    def as_data(self) -> dict[str, Any]:
        """The graph for `--json`."""
        return {"layers": [{"name": name, "state": state, "needs": list(self.layer_needs[name])}
                           for name, state in self.layers.items()],
                "services": [{"name": name, "layer": layer, "needs": list(self.service_needs[name])}
                             for name, layer in self.services.items()]}


def ordered(needs: Mapping[str, set[str]]) -> dict[str, tuple[str, ...]]:
    """Needs in the order in which their names come."""
    return {name: tuple(other for other in needs if other in needs[name]) for name in needs}


def name_of(urn: str) -> str:
    """The name of a resource in the program."""
    return urn.rpartition("::")[2]


def kind_of(urn: str) -> str:
    """The type of a resource, without its parents'."""
    return urn.split("::")[2].rpartition("$")[2]


def direct(needs: Needs) -> dict[str, tuple[str, ...]]:
    """The needs that do not follow from others: without those that something needed needs itself, directly or not."""
    def below(name: str) -> set[str]:
        return {name, *(other for need in needs.get(name, ()) for other in below(need))}

    return {name: tuple(need for need in own if not any(need in below(other) for other in own if other != need))
            for name, own in needs.items()}


def ranks(needs: Mapping[str, Collection[str]]) -> dict[str, int]:
    """How many steps each name stands above what needs nothing."""
    found: dict[str, int] = {}

    def rank(name: str) -> int:
        if name not in found:
            found[name] = max((rank(need) + 1 for need in needs.get(name, ())), default=0)
        return found[name]

    return {name: rank(name) for name in needs}


def of_state(stack: auto.Stack) -> Graph:
    """The graph as the last update left it. Raises OperationError before the first one."""
    with engine(stack):
        deployment = stack.export_stack().deployment or {}
    found = Graph.of(deployment.get("resources", []))
    if not found.layers:
        raise OperationError(f"nothing of the stack {stack.name} was brought up yet, so its state has no graph; `make up STACK="
                             f"{stack.name}` brings it up, and `graph --preview` draws what that would make")
    return found


def of_preview(stack: auto.Stack) -> Graph:
    """The graph that an update would make, from the engine's plan. Changes nothing."""
    with TemporaryDirectory() as folder, engine(stack):
        plan = Path(folder, "plan.json")
        stack.preview(plan=str(plan), color="never", on_output=lambda _: None)
        return Graph.of(planned(json.loads(plan.read_text())))


def planned(plan: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """The resources of a plan that shall be there, as the engine's state would have them."""
    goals = {urn: steps.get("goal") for urn, steps in plan["resourcePlans"].items()}
    return [{"urn": urn, "type": kind_of(urn), "dependencies": goal.get("dependencies") or [],
             "outputs": goal.get("outputDiff", {}).get("adds")} for urn, goal in goals.items() if goal]
