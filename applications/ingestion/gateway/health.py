"""Whether the gateway can accept: what it needs, looked at every few seconds and at every failure."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Protocol

from applications.ingestion.gateway import metrics
from applications.ingestion.gateway.ledger import Ledger
from applications.runtime.logs import log
from applications.runtime.monitor import report

LEDGER_PROBE_SECONDS = 5
PURGE_SECONDS = 3600


class Need(Protocol):
    """Something that the gateway needs. `fault` says why it cannot be used now, or is None."""

    fault: str | None


class Health:
    """What the gateway needs, by name. Alive is whoever answers; healthy is who can accept every kind of event."""

    def __init__(self, needs: Mapping[str, Need]) -> None:
        self._needs = needs
        for name, need in needs.items():
            metrics.AVAILABLE.labels(name).set_function(partial(_available, need))

    def report(self) -> tuple[bool, dict[str, object]]:
        """Whether all is well, and what is found about each need."""
        return report({name: partial(_fault, need) for name, need in self._needs.items()})


def _fault(need: Need) -> str | None:
    return need.fault


def _available(need: Need) -> float:
    return float(need.fault is None)


async def keep_ledger(ledger: Ledger, days: int) -> None:
    """Tries the ledger and copies its log every few seconds, and forgets what is older than `days`, for ever."""
    loop = asyncio.get_running_loop()
    purge_at = loop.time()
    while True:
        await ledger.probe()
        await ledger.checkpoint()
        if ledger.fault is None and loop.time() >= purge_at:
            log.info("ledger-purged", forgotten=await ledger.purge(days))
            purge_at = loop.time() + PURGE_SECONDS
        await asyncio.sleep(LEDGER_PROBE_SECONDS)
