"""Drives a headless Chromium: a JSON request a line on standard input, `{"do": …, …}`, an answer a line on standard output.

Runs where the browser is; needs nothing but Python. Requests: the public methods of Page. An answer is `{"found": …}` or
`{"error": …}`.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from typing import Any

CHROMIUM = "chromium"
SECONDS = 30
LOOK_SECONDS = 0.1
TOLD = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
    # A browser of its own would ask its maker for updates, lists and suggestions.
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
)


class Browser:
    """A Chromium that is spoken to through a pair of pipes (its debugging protocol, messages end with a zero byte)."""

    def __init__(self) -> None:
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        self._rest, self._number = b"", 0
        self.events: list[dict[str, Any]] = []
        folder = tempfile.mkdtemp()
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank"]

        def place() -> None:
            # The protocol's pipes are the file descriptors 3 and 4. Above them first, since these may be in use.
            high = [os.dup2(to_browser, 100), os.dup2(from_browser, 101)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._process = subprocess.Popen(
            command, preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env={**os.environ, "HOME": folder})
        os.close(to_browser)
        os.close(from_browser)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """What a method of the protocol returns; events that come meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while True:
            found = self._message(deadline - time.monotonic())
            if found is None:
                raise TimeoutError(f"{method} has not been answered within {SECONDS} s")
            if found.get("id") == self._number:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']['message']}")
                result: dict[str, Any] = found["result"]
                return result
            self.events.append(found)

    def listen(self, seconds: float) -> None:
        """Keeps the events of some time."""
        deadline = time.monotonic() + seconds
        while (found := self._message(deadline - time.monotonic())) is not None:
            self.events.append(found)

    def close(self) -> None:
        """Ends the browser."""
        self._process.kill()
        self._process.wait()

    def _message(self, seconds: float) -> dict[str, Any] | None:
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0.0, seconds))[0]:
                return None
            part = os.read(self._in, 1 << 20)
            if not part:
                raise RuntimeError(f"the browser ended with {self._process.wait()}")
            self._rest += part
        text, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found


class Page:
    """One tab."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, url: str, width: int, height: int, dark: bool = False) -> None:
        """Loads an address in a window of this size and theme, without motion. What was told before is forgotten."""
        self._browser.events.clear()
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self._call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"}])
        found = self._call("Page.navigate", url=url)
        if "errorText" in found:
            raise RuntimeError(f"{url}: {found['errorText']}")
        deadline = time.monotonic() + SECONDS
        while not self._events("Page.loadEventFired"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} was not loaded within {SECONDS} s")
            self._browser.listen(LOOK_SECONDS)

    def evaluate(self, script: str) -> Any:
        """The value of an expression on the page."""
        found = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            details = found["exceptionDetails"]
            raise RuntimeError(f"{script}: {details.get('exception', {}).get('description', details['text'])}")
        return found["result"].get("value")

    def until(self, script: str, seconds: float) -> float:
        """Waits until an expression is true; returns how long that took, in seconds."""
        began = time.monotonic()
        while not self.evaluate(f"Boolean({script})"):
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"not within {seconds:g} s: {script}")
            self._browser.listen(LOOK_SECONDS)
        return time.monotonic() - began

    def press(self, key: str) -> None:
        """Presses a key, such as Tab."""
        for kind in ("rawKeyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode={"Tab": 9, "Enter": 13}[key])

    def screenshot(self) -> str:
        """The whole page as PNG, in Base64."""
        return str(self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"])

    def told(self) -> list[str]:
        """What the console got since the page was opened: errors, warnings, exceptions, what the policy forbade."""
        self._browser.listen(LOOK_SECONDS)
        return [words(event) for event in self._events(*TOLD)]

    def _events(self, *methods: str) -> list[dict[str, Any]]:
        return [event for event in self._browser.events
                if event.get("method") in methods and event.get("sessionId") == self._session]

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)


def words(event: dict[str, Any]) -> str:
    """An event of the console in a line."""
    found = event["params"]
    if event["method"] == "Log.entryAdded":
        return f"{found['entry']['level']}: {found['entry']['text']} {found['entry'].get('url', '')}"
    if event["method"] == "Runtime.exceptionThrown":
        details = found["exceptionDetails"]
        return f"exception: {details.get('exception', {}).get('description', details['text'])}"
    return f"{found['type']}: {' '.join(str(part.get('value', part.get('description'))) for part in found['args'])}"


def main() -> None:
    """Answers requests until standard input ends."""
    browser = Browser()
    try:
        page = Page(browser)
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = {"found": getattr(page, request.pop("do"))(**request)}
            except (RuntimeError, TimeoutError) as error:
                answer = {"error": str(error)}
            print(json.dumps(answer), flush=True)
    finally:
        browser.close()


if __name__ == "__main__":
    main()
