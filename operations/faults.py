"""What a user is told when something is wrong: the engine's own words, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

COLOUR = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")
MOST_LINES = 40
ADVICE = (
    ("no stack named", "this stack does not exist yet: `make up STACK=NAME` makes it"),
    ("unable to open state directory", "nothing was set up here yet: `make up STACK=NAME` does it"),
    ("incorrect passphrase", "the stack was encrypted with another passphrase: put that one into the file that "
                             "PULUMI_CONFIG_PASSPHRASE_FILE names (.state/passphrase unless you set it)"),
    ("passphrase", "the file that PULUMI_CONFIG_PASSPHRASE_FILE names (.state/passphrase unless you set it) must hold "
                   "the stack's passphrase; `make up` makes one for a new stack"),
    ("the stack is currently locked", "another update is under way, or one was cut off: wait for it, or unlock the stack "
                                      "with `./pipeline pulumi cancel --yes --stack NAME`"),
    ("Conflict: Another update", "another update is under way: wait for it, then run the command again"),
    ("Cannot connect to the Docker daemon", "Docker does not answer: `make up` starts it where it may"),
    ("healthy state", "a container did not become healthy: `./pipeline all logs SERVICE --stack NAME` shows why; then run "
                      "the command again"),
    ("is already in use by container", "an update that was killed has left a container behind: `./pipeline all start --stack NAME` "
                                       "removes it and goes on"),
    ("port is already allocated", "another program took one of the ports: stop it, or set clinical:portOffset"),
    ("marked for protection", "the stack protects its data: set clinical:protect to false, run "
                              "`./pipeline all start --stack NAME`, then the command again"),
    ("no space left on device", "free disk space; `docker system df` shows what Docker holds"),
    ("cannot reach", "a server that holds what is to be changed does not answer; `./pipeline all health --stack NAME` shows "
                     "which, and starting its layer brings it back"),
    ("pending operations", "an update was cut off while something was being made: `./pipeline pulumi refresh --yes "
                           "--clear-pending-creates --stack NAME` looks at what is there, then run the command again"),
    ("no resource plugin", "a plugin of the engine is missing: `make up STACK=NAME` installs it"),
)


class OperationError(Exception):
    """A command cannot be carried out; the message says what is wrong and what to do."""

    status = 1
    """The command's exit status."""


class Interrupted(OperationError):
    """The user stopped the command."""

    status = 130


def advice(text: str, stack: str) -> str:
    """What to do about the first known fault in `text`, as a line of its own; nothing for an unknown one."""
    found = next((words for sign, words in ADVICE if sign.lower() in text.lower()), None)
    return f"\nWhat to do: {found.replace('NAME', stack)}." if found else ""


def explained(error: Exception, stack: str) -> OperationError:
    """The error of a `pulumi` command in its own words, and what to do about it."""
    text = COLOUR.sub("", str(error))
    shown = "\n".join(list(dict.fromkeys(errors(text)))[:MOST_LINES]) or text.strip()[-2000:]
    return OperationError(shown + advice(text, stack))


def errors(text: str) -> Iterator[str]:
    """The lines of the engine's output that name an error, each with the indented ones that go on with it."""
    begun = False
    for line in text.splitlines():
        if "error: " in line:
            begun = True
            yield line[line.index("error: "):]
        elif begun and line.startswith("    ") and line.strip():
            yield line.rstrip()
        else:
            begun = False


def failed(faults: Sequence[str], error: Exception, stack: str, log: Path) -> OperationError:
    """The error of an update: each fault that the engine named, what to do, and where its whole output is."""
    lines = [line for fault in dict.fromkeys(faults) for line in COLOUR.sub("", fault).strip().splitlines()]
    if not lines:
        return OperationError(f"{explained(error, stack)}\nThe engine's output: {log}")
    shown = "\n".join(lines[:MOST_LINES])
    return OperationError(f"the update of {stack} failed:\n{shown}{advice(shown, stack)}\n"
                          f"The configuration holds the wanted state, so that the same command goes on from here. "
                          f"The engine's output: {log}")
