"""A graceful stop: SIGTERM and SIGINT ask, the service ends when its work is safe."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Stop:
    """Whether the process was asked to end. Make it in the main thread."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    @property
    def requested(self) -> bool:
        """Whether to end now."""
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits until asked to end, at most so long; returns whether asked."""
        return self._asked.wait(seconds)

    def ask(self) -> None:
        """Asks from inside, as the signals do from outside."""
        self._asked.set()

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.ask()
