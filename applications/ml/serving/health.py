"""Whether serving is alive, and whether it can make predictions: what it needs, looked at every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from applications.ml.serving import metrics
from applications.ml.serving.models import Models


class Need(Protocol):
    """Something that a prediction needs."""

    @property
    def fault(self) -> str | None:
        """Why it cannot be used now, or None."""


class Health:
    """What a prediction needs, by name, and what is wrong with the registry, without which the champion serves on."""

    def __init__(self, models: Models, needs: Mapping[str, Need]) -> None:
        self._models = models
        self._needs = {"model": models, **needs}
        for name, need in self._needs.items():
            metrics.AVAILABLE.labels(name).set_function(partial(_available, need))

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether predictions can be made, and what is found about each need. `warnings` do not stop them."""
        checks = {name: need.fault or "ok" for name, need in self._needs.items()}
        ready = all(words == "ok" for words in checks.values())
        models = self._models
        warnings = [words for words in (models.registry_fault, models.load_fault) if words and models.champion is not None]
        return ready, {"status": "ready" if ready else "not-ready", "checks": checks, "warnings": warnings}


def _available(need: Need) -> float:
    return float(need.fault is None)


async def keep_looking(look: Callable[[], None], seconds: float) -> None:
    """Has something looked at every so many seconds, for ever, in a thread."""
    while True:
        await asyncio.to_thread(look)
        await asyncio.sleep(seconds)
