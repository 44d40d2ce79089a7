"""A browser that looks at the platform's pages, in a container on the platform's network."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "browser"


class Browser:
    """A page in a browser, through the driver's own process (`browser/driver.py`). Raises AssertionError with its words."""

    def __init__(self, driver: subprocess.Popen[str]) -> None:
        self._driver = driver

    def open(self, url: str, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Loads an address in a window of this size."""
        self._ask("open", url=url, width=width, height=height, dark=dark)

    def evaluate(self, script: str) -> Any:
        """The value of an expression on the page."""
        return self._ask("evaluate", script=script)

    def until(self, script: str, seconds: float = 60) -> float:
        """Waits until an expression is true; returns after how many seconds it was."""
        return float(self._ask("until", script=script, seconds=seconds))

    def press(self, key: str) -> None:
        """Presses a key."""
        self._ask("press", key=key)

    def told(self) -> list[str]:
        """What the console got since the page was opened."""
        return list(self._ask("told"))

    def keep(self, file: Path) -> None:
        """Writes a picture of the whole page."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(self._ask("screenshot")))

    def _ask(self, method: str, **parameters: Any) -> Any:
        assert self._driver.stdin is not None and self._driver.stdout is not None
        self._driver.stdin.write(json.dumps({"do": method, **parameters}) + "\n")
        self._driver.stdin.flush()
        line = self._driver.stdout.readline()
        assert line, f"the browser's driver ended with status {self._driver.wait()}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["found"]


@contextmanager
def browsing(command: Sequence[str]) -> Iterator[Browser]:
    """A browser whose driver is run by a command."""
    with subprocess.Popen(list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        try:
            yield Browser(driver)
        finally:
            assert driver.stdin is not None
            driver.stdin.close()
            driver.wait(timeout=30)


def in_container(image: str, network: str, stack: str) -> list[str]:
    """The command of a driver in a container on a network, which goes with the stack's leftovers if it is killed."""
    return ["docker", "run", "--rm", "--interactive", "--network", network, "--cap-drop", "ALL", "--memory", "1g", "--tmpfs",
            "/tmp:mode=1777", "--label", f"clinical.stack={stack}", image]
