"""A lake in memory, as the orchestration uses it: small JSON objects and the names of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from applications.monitoring.lake import LakeError


@dataclass(frozen=True)
class Named:
    """An object of which only the key matters."""

    key: str


class FakeLake:
    """Stands for a LakeAccess: keeps objects in a dictionary by bucket and key, and raises LakeError for all while `away`."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.away = False

    def put(self, bucket: str, key: str, content: bytes, content_type: str = "application/json") -> None:
        """Keeps an object."""
        self._ask()
        self.kept[f"{bucket}/{key}"] = content

    def get_json(self, bucket: str, key: str) -> Mapping[str, Any] | None:
        """An object, or None."""
        self._ask()
        content = self.kept.get(f"{bucket}/{key}")
        return None if content is None else json.loads(content)

    def remove(self, bucket: str, key: str) -> None:
        """Forgets an object."""
        self._ask()
        self.kept.pop(f"{bucket}/{key}", None)

    def objects(self, bucket: str, prefix: str = "") -> Iterator[Any]:
        """The keys with a prefix."""
        self._ask()
        for name in sorted(self.kept):
            if name.startswith(f"{bucket}/{prefix}"):
                yield Named(name.removeprefix(f"{bucket}/"))

    def _ask(self) -> None:
        if self.away:
            raise LakeError("the lake is away")
