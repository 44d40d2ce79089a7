"""One resource type, on plain dictionaries of its properties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

Values = dict[str, Any]
ANY = {"$ref": "pulumi.json#/Any"}
STRING: Values = {"type": "string"}
BOOLEAN: Values = {"type": "boolean"}
INTEGER: Values = {"type": "integer"}
STRINGS: Values = {"type": "array", "items": STRING}
OBJECT: Values = {"type": "object", "additionalProperties": ANY}
OBJECTS: Values = {"type": "array", "items": OBJECT}


class Refused(Exception):
    """A request that cannot be carried out; the message is shown as it is."""


@dataclass(frozen=True, kw_only=True)
class Property:
    """One input: its schema type, what it is when left out, and whether a new value replaces the resource."""

    type: Mapping[str, Any]
    default: Any = None
    required: bool = False
    replaces: bool = False
    secret: bool = False


class Kind:
    """One resource type. `inputs` are the properties that a program sets, `outputs` those that only the server knows."""

    token: ClassVar[str]
    inputs: ClassVar[Mapping[str, Property]]
    outputs: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    named_by: ClassVar[str | None] = None
    """The input that takes the resource's name when it is left out."""

    def identity(self, inputs: Values) -> str:
        """The id that `pulumi import` takes, too."""
        raise NotImplementedError(self.token)

    def faults(self, inputs: Values) -> Iterator[tuple[str, str]]:
        """What is wrong with the inputs, as (property, reason). Unknown values are left out of `inputs`."""
        yield from ()

    def create(self, client: Any, inputs: Values) -> Values:
        """Makes the resource and returns its outputs."""
        raise NotImplementedError(self.token)

    def read(self, client: Any, identity: str, known: Values) -> Values | None:
        """The inputs and outputs that the resource has now; None when it is gone. `known` is empty for an import."""
        raise NotImplementedError(self.token)

    def update(self, client: Any, identity: str, old: Values, new: Values) -> Values:
        """Changes the resource in place and returns its outputs. Only for kinds with inputs that do not replace."""
        raise NotImplementedError(self.token)

    def delete(self, client: Any, identity: str, inputs: Values) -> None:
        """Removes the resource; that it is gone already is no error."""
        raise NotImplementedError(self.token)

    def check(self, given: Values, name: str) -> Values:
        """The inputs with everything filled in that was left out."""
        filled = {key: prop.default for key, prop in self.inputs.items() if prop.default is not None}
        filled |= {key: value for key, value in given.items() if value is not None}
        if self.named_by and self.named_by not in filled:
            filled[self.named_by] = name
        return filled

    def refusals(self, given: Values, unknown: str) -> Iterator[tuple[str, str]]:
        """Every reason not to accept the inputs: none may be ignored in silence."""
        known = {key: value for key, value in given.items() if value is not None}
        for key in known:
            if key not in self.inputs:
                accepted = ", ".join(self.inputs)
                yield key, f"this plugin does not implement it for {self.token}; it takes {accepted}"
        for key, prop in self.inputs.items():
            if prop.required and key not in known:
                yield key, "it is required and missing"
        yield from self.faults({key: value for key, value in known.items() if unknown not in str(value)})
