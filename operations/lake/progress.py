"""How far a long operation is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """What is done so far: `done` of `total` objects (None while nobody knows how many), and the bytes of those."""

    what: str
    done: int
    total: int | None
    bytes: int


Progress = Callable[[Step], None]


def silent(_: Step) -> None:
    """Shows nothing."""
