"""Layering: everything that runs or holds data is in one layer, says so, and depends on layers below alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pulumi_policy import PolicyResource

from components.settings import comes_after, layer_kinds
from policies.containers import CONTAINER, LABELS, NETWORK, SERVICE_LABEL, VOLUME
from policies.rule import StackRule, known, listed

LAYER = "clinical:layer:"
LAYER_LABEL = LABELS[-1]


def layer_of(resource: PolicyResource) -> str | None:
    """The name of the layer that a resource is in; None for what is in none."""
    above: PolicyResource | None = resource
    while above is not None:
        if above.resource_type.startswith(LAYER):
            return above.name
        above = above.parent
    return None


def matrix() -> Mapping[str, set[str]]:
    """The layers that each layer may depend on: those that its settings name, and those which these need."""
    found: dict[str, set[str]] = {}
    for name in layer_kinds():
        found[name] = {other for below in comes_after(name) for other in (below, *found[below])}
    return found


def depends_downwards(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """A layer depends on what it needs to run, and on nothing else."""
    may = matrix()
    for resource in resources:
        layer = layer_of(resource)
        if layer is None:
            continue
        others = {layer_of(need) for need in resource.dependencies} - {layer, None}
        for other in sorted(str(name) for name in others - may.get(layer, set())):
            yield resource, (f"it is in {layer} and depends on {other}, which {layer} does not need; take the dependency away, or "
                             f"name {other} in `needs` of components/{layer}/settings.py")


def in_one_layer(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """Containers, volumes and networks are below a layer, and their labels name that layer and the service."""
    for resource in resources:
        if resource.resource_type not in (CONTAINER, VOLUME, NETWORK):
            continue
        layer, labels = layer_of(resource), labels_of(resource)
        if layer is None:
            yield resource, "it is in no layer; declare it in a part of a layer, with parent=self"
        elif labels.get(LAYER_LABEL, layer) != layer:
            yield resource, f"it is in {layer} and its label says {labels[LAYER_LABEL]}; give it the labels of its layer's Scope"
        if resource.resource_type == CONTAINER and labels.get(SERVICE_LABEL, resource.name) != resource.name:
            yield resource, (f"its label says that it is {labels[SERVICE_LABEL]}; the label is the service's name, by which the "
                             "management command finds it")


def labels_of(resource: PolicyResource) -> dict[str, str]:
    """The labels that are known, by name."""
    return {str(known(label, "label")): str(value) for label in listed(resource.props, "labels")
            if (value := known(label, "value")) is not None}


LAYER_RULES = (
    StackRule("layer-below", "Layers depend on those that they need, and on no others.", depends_downwards),
    StackRule("layer-owned", "Every container, volume and network is in one layer and says so.", in_one_layer),
)
