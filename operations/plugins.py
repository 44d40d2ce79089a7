"""What only one layer has, found in its module in operations/layers/: probes of its services, and commands of its own.

A module may have `probes(settings) -> Iterable[Probe]` and `add_commands(group: typer.Typer) -> None`.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

import typer

from components.settings import Settings
from operations.probes import Probe


def module_of(layer: str) -> ModuleType | None:
    """The layer's module; None where it has none."""
    name = f"operations.layers.{layer}"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def probes_of(layer: str, settings: Settings) -> list[Probe]:
    """The probes of one layer; none where it has none."""
    probes = getattr(module_of(layer), "probes", None)
    return list(probes(settings)) if probes else []


def add_commands(layer: str, group: typer.Typer) -> None:
    """Adds the commands that only this layer has to its group."""
    add = getattr(module_of(layer), "add_commands", None)
    if add:
        add(group)
