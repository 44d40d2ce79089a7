"""Bounds on what senders may ask of the gateway: requests over time, and bytes held at once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from applications.ingestion.gateway import metrics

OVERHEAD_BYTES = 4096
"""What a request holds besides its body, about."""
MOST_SENDERS = 10_000


class Rate:
    """A token bucket for each sender: `per_second` over time, `burst` at once."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, sender: str) -> float:
        """Takes a token and returns 0, or takes none and returns the seconds until there is one."""
        now = self._clock()
        tokens, since = self._buckets.pop(sender, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._per_second)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
        self._buckets[sender] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > MOST_SENDERS:
            # The one that was silent longest: its bucket is as good as full.
            self._buckets.popitem(last=False)
        return wait


class Full(Exception):
    """The bodies in work hold all the bytes that they may."""


class Holding:
    """What one request holds of the bytes in all."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self.bytes = 0

    def grow(self, count: int) -> None:
        """Holds so many bytes more. Raises Full."""
        self._held.change(count)
        self.bytes += count


class Held:
    """How many bytes the bodies in work hold together; `most` is the bound."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0

    def change(self, count: int) -> None:
        """Takes bytes, or gives them back (a negative count). Raises Full."""
        if count > 0 and self._bytes + count > self._most:
            raise Full
        self._bytes += count
        metrics.HELD_BYTES.set(self._bytes)

    @contextmanager
    def request(self) -> Iterator[Holding]:
        """A request's share, given back at its end. Raises Full."""
        holding = Holding(self)
        try:
            holding.grow(OVERHEAD_BYTES)
            yield holding
        finally:
            self.change(-holding.bytes)
