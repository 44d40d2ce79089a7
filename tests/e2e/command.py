"""`./pipeline` as a user runs it: a process of its own, in the checkout that has a test's stack."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from components.settings import layer_kinds
from tests.e2e.stack import LAST_LINES, Failed, Stack

ALL = "all"
AT_ONCE = 3
LONGEST = 1200
"""Seconds that a command may take on a busy machine; one that takes longer hangs."""


@dataclass(frozen=True)
class Answer:
    """What a command came to: its exit status, what it found (standard output) and what it told (standard error)."""

    status: int
    found: str
    told: str

    def data(self) -> Any:
        """What `--json` found."""
        return json.loads(self.found)


class Command:
    """`./pipeline` for one stack. The output of each call is kept in the stack's folder of logs."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self._numbers = stack, count(1)

    def __call__(self, *arguments: str, status: int = 0, given: str = "", variables: Mapping[str, str | None] | None = None,
                 folder: Path | None = None) -> Answer:
        """Runs a command to its end. Raises Failed unless it ends with `status`.

        `given` is what the user types, `variables` are changes of the environment (None takes one away), `folder` is where the
        user stands.
        """
        done = subprocess.run([str(self.stack.folder / "pipeline"), *arguments], cwd=folder or self.stack.folder, input=given,
                              env=self.environment(variables or {}), capture_output=True, text=True, timeout=LONGEST, check=False)
        log = self.stack.logs / f"pipeline-{next(self._numbers):03}.log"
        log.write_text(f"./pipeline {' '.join(arguments)} -> {done.returncode}\n{done.stdout}\n{done.stderr}")
        if done.returncode != status:
            end = "\n".join((done.stdout + done.stderr).splitlines()[-LAST_LINES:])
            raise Failed(f"./pipeline {' '.join(arguments)} ended with {done.returncode}, not {status}; log {log}, its end:\n{end}")
        return Answer(done.returncode, done.stdout, done.stderr)

    def each(self, layers: Iterable[str], *arguments: str) -> dict[str, Answer]:
        """The same command for each of the layers, a few at a time."""
        chosen = list(layers)
        return dict(zip(chosen, self.several([(layer, *arguments) for layer in chosen]), strict=True))

    def several(self, calls: Sequence[Sequence[str]], status: int = 0,
                variables: Mapping[str, str | None] | None = None) -> list[Answer]:
        """Several commands, a few at a time; the answers in the same order."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda call: self(*call, status=status, variables=variables), calls))

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command in the background, in a process group of its own as a terminal would start it; killed at the end."""
        with subprocess.Popen([str(self.stack.folder / "pipeline"), *arguments], cwd=self.stack.folder, text=True,
                              env=self.environment({}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, start_new_session=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def environment(self, changes: Mapping[str, str | None]) -> dict[str, str]:
        """The user's variables: nothing tells the command where the stack is, but its name."""
        own = {name: value for name, value in os.environ.items()
               if not name.startswith("PULUMI_") or name == "PULUMI_HOME"}
        changed = {**own, "PULUMI_STACK": self.stack.name, "NO_COLOR": "1", **changes}
        return {name: value for name, value in changed.items() if value is not None}

    def running_layers(self) -> list[str]:
        """The layers that the last update left running, what others need first."""
        states = self.stack.outputs()["layers"]
        return [layer for layer in layer_kinds() if states[layer] == "running"]
