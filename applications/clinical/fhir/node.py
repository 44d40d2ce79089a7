"""A place in a FHIR resource: its value, whatever a sender put there, and its path for the faults found at it.

The events are read from the JSON as it came and not from the library's models: a resource that breaks a rule of FHIR still
shows what else is wrong with it, and numbers and times stay as they were sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from applications.clinical.reasons import Reason, ReasonCode

_NAMES = {str: "text", bool: "true or false", int: "a whole number", dict: "an object"}


@dataclass(frozen=True)
class Node:
    """A value at a path. `faults` is one list for a whole body; every method adds to it and goes on."""

    value: Any
    path: str
    faults: list[Reason]

    def __bool__(self) -> bool:
        """Whether something is there."""
        return self.value is not None

    def __getitem__(self, name: str) -> Node:
        """What an object holds under a name; a node without a value where there is none."""
        return Node(self.value.get(name) if isinstance(self.value, dict) else None, f"{self.path}.{name}", self.faults)

    def __iter__(self) -> Iterator[Node]:
        """The elements of a list."""
        if isinstance(self.value, list):
            for index, element in enumerate(self.value):
                yield Node(element, f"{self.path}[{index}]", self.faults)

    def first(self, *names: str) -> Node:
        """The first of several members that is there; else the first one, without a value."""
        return next((self[name] for name in names if self[name]), self[names[0]])

    def extension(self, url: str, kind: str) -> Node:
        """The value (`kind`, like `valueString`) of the extension with this address."""
        found = next((one for one in self["extension"] if one["url"].value == url), None)
        if found is None:
            return Node(None, f"{self.path}.extension[{url}].{kind}", self.faults)
        return found[kind]

    def fault(self, code: ReasonCode, message: str) -> None:
        """Notes what is wrong here."""
        self.faults.append(Reason(code, self.path, message))

    def missing(self, message: str) -> None:
        """Notes that something must be here."""
        self.fault(ReasonCode.MISSING_FIELD, message)

    def text(self, needed: str | None = None) -> str | None:
        """The text here. `needed` is the fault's message where there is none."""
        found = self._of(str, needed)
        return found.strip() or None if isinstance(found, str) else None

    def flag(self, needed: str | None = None) -> bool | None:
        """The truth value here."""
        found = self._of(bool, needed)
        return found if isinstance(found, bool) else None

    def integer(self, needed: str | None = None) -> int | None:
        """The whole number here."""
        found = self._of(int, needed)
        return found if isinstance(found, int) else None

    def number(self, needed: str) -> float | None:
        """The number here."""
        if isinstance(self.value, int | float) and not isinstance(self.value, bool):
            return float(self.value)
        if self:
            self.fault(ReasonCode.WRONG_TYPE, "must be a number")
        else:
            self.missing(needed)
        return None

    def moment(self, needed: str) -> str | None:
        """The time here, which needs a time of day and with it an offset."""
        found = self.text(needed)
        if found is not None and "T" not in found:
            self.fault(ReasonCode.INVALID_VALUE, "a date is not enough: give the time of day and its offset from UTC")
            return None
        return found

    def _of(self, kind: type, needed: str | None) -> Any:
        if self.value is None:
            if needed is not None:
                self.missing(needed)
            return None
        if not isinstance(self.value, kind) or (isinstance(self.value, bool) and kind is not bool):
            self.fault(ReasonCode.WRONG_TYPE, f"must be {_NAMES[kind]}")
            return None
        return self.value
