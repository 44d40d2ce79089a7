"""The platform as the stack's program describes it: layers, what each needs, services, and where people find their pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class LayerPart(_Part):
    """A layer: `needs` are the layers that it depends on, `state` is running, stopped or absent."""

    name: str
    needs: tuple[str, ...] = ()
    state: str = "running"


class ServicePart(_Part):
    """A service: `port` is open while it lives (None: it has none), `metrics` is their path on it."""

    name: str
    layer: str
    host: str
    port: int | None = None
    metrics: str | None = None


class Platform(_Part):
    """All of it. `links` are the addresses of pages, by service."""

    project: str
    stack: str
    layers: tuple[LayerPart, ...]
    services: tuple[ServicePart, ...]
    links: Mapping[str, str] = {}


def read(path: Path) -> Platform:
    """The platform of a file. Raises ValueError or OSError, which say what is wrong with it."""
    return Platform.model_validate_json(path.read_bytes())
