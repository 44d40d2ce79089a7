"""Asking services whether they work, each through its own protocol."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


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


def ask(probe: Probe) -> Answer:
    """The answer to one probe; an error is one, too, in its first line."""
    start = time.monotonic()
    try:
        detail, healthy = probe.ask(), True
    except Exception as error:  # whatever a client library raises means that the service does not answer well
        detail, healthy = (str(error).strip() or repr(error)).splitlines()[0][:200], False
    return Answer(probe.service, healthy, detail, round((time.monotonic() - start) * 1000, 1))
