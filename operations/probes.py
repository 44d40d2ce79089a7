"""Asking a layer's services whether they work, each through its own protocol. A layer's probes are in operations/layers/."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

from components.settings import LayerSettings, Settings


@dataclass(frozen=True)
class Probe:
    """A question to one service: `ask` returns what was found in a few words, or raises with what is wrong."""

    service: str
    ask: Callable[[], str]


@dataclass(frozen=True)
class Answer:
    """What a probe found, and how long it took in milliseconds."""

    service: str
    healthy: bool
    detail: str
    milliseconds: float


class LayerProbes(Protocol):
    """What a module in operations/layers/ has."""

    def probes(self, settings: Settings) -> Iterator[Probe]:
        """Every question to this layer."""


def probes_of(layer: LayerSettings, settings: Settings) -> list[Probe]:
    """The probes of one layer; none where the layer has no module of them."""
    name = f"operations.layers.{layer.layer}"
    if importlib.util.find_spec(name) is None:
        return []
    module = cast(LayerProbes, importlib.import_module(name))
    return list(module.probes(settings))


def ask(probe: Probe) -> Answer:
    """The answer to one probe; an error is one, too, in its first line."""
    start = time.monotonic()
    try:
        detail, healthy = probe.ask(), True
    except Exception as error:  # whatever a client library raises means that the service does not answer well
        detail, healthy = (str(error).strip() or repr(error)).splitlines()[0][:200], False
    return Answer(probe.service, healthy, detail, (time.monotonic() - start) * 1000)
