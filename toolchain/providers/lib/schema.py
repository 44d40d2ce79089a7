"""The schema of a plugin, from its kinds: `pulumi import` generates code from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lib.kinds import Kind


def schema(name: str, version: str, kinds: Iterable[Kind]) -> dict[str, Any]:
    """Pulumi's package schema with every kind's inputs and outputs."""
    return {"name": name, "version": version, "meta": {"moduleFormat": "(.*)(?:/[^/]*)"}, "provider": {},
            "resources": {kind.token: resource(kind) for kind in kinds}}


def resource(kind: Kind) -> dict[str, Any]:
    """One resource's part of the schema."""
    inputs = {key: {**prop.type, "secret": prop.secret} for key, prop in kind.inputs.items()}
    required = [key for key, prop in kind.inputs.items() if prop.required]
    return {"inputProperties": inputs, "properties": {**inputs, **kind.outputs}, "requiredInputs": required,
            "required": required}
