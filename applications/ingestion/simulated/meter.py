"""Whether the rate that was asked for is really reached."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 30.0
LEAST_SECONDS = 10.0
SAMPLE_SECONDS = 1.0
REACHED_SHARE = 0.8
"""Below this share of the target the service is not healthy."""


class Meter:
    """The rate at which a growing count grew over the last half minute."""

    def __init__(self, target: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`target` is the rate asked for, a second; 0 asks for none."""
        self._target = target
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque()

    def sample(self, count: int) -> None:
        """Notes the count; more often than once a second is ignored."""
        now = self._clock()
        if self._samples and now - self._samples[-1][0] < SAMPLE_SECONDS:
            return
        self._samples.append((now, count))
        while now - self._samples[0][0] > WINDOW_SECONDS:
            self._samples.popleft()

    @property
    def rate(self) -> float | None:
        """A second; None while it is too early to tell. A count that is no longer sampled drags the rate down."""
        samples = list(self._samples)
        passed = self._clock() - samples[0][0] if samples else 0.0
        return (samples[-1][1] - samples[0][1]) / passed if passed >= LEAST_SECONDS else None

    def check(self) -> str | None:
        """None when the target is reached, else what is reached instead."""
        rate = self.rate
        if rate is None or rate >= REACHED_SHARE * self._target:
            return None
        return f"{rate:.1f} messages a second are confirmed, {self._target:g} are asked for"
