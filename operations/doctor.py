"""What a bug report needs, in one file and without secrets. Whatever cannot be had says so, and the rest is there."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi import automation as auto

from applications.observability.shipper.redaction import redact
from components.settings import NAMESPACE, Settings, layer_kinds
from operations import remote
from operations.environment import environment
from operations.faults import OperationError
from operations.logs import lines_of
from operations.probes import Answer
from operations.services import connect, found, image_names, statuses, verdicts
from operations.setup.checks import total_memory
from operations.stack import (
    LOGS,
    PROJECT,
    PROJECT_FOLDER,
    configuration,
    declared,
    engine,
    last_update_failed,
    open_stack,
    wanted,
)

GENERATED = re.compile(r"\b[0-9a-f]{32}\b")
"""The form of our secrets: those of an earlier time, which nobody knows any more, must not leave either."""
SECRET = "[secret]"
SHORTEST = 6
"""What is shorter than a secret may be is a word of every text."""
NAMES = ("DOCKER_HOST", "PULUMI_BACKEND_URL", "PULUMI_HOME", "PULUMI_STACK", "PULUMI_CONFIG_PASSPHRASE",
         "PULUMI_CONFIG_PASSPHRASE_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL", "GOPROXY",
         "NPM_CONFIG_REGISTRY")
UPDATES, UPDATE_LINES, SECONDS = 10, 100, 60
Ask = Callable[[list[str], Settings], list[tuple[str, Answer]]]


def write(layers: list[str], name: str, output: Path | None, tail: int, ask: Ask) -> Path:
    """Writes the report and returns its file, which its owner alone may read. Raises OperationError where it cannot be written."""
    file = output or LOGS / f"doctor-{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.txt"
    text = report(layers, name, tail, ask)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(text)
    except OSError as error:
        raise OperationError(f"{file} cannot be written: {error.strerror}; name another file with --output") from None
    return file


def report(layers: list[str], name: str, tail: int, ask: Ask) -> str:
    """The report: sections, each tried by itself, all of it without secrets."""
    known: dict[str, str] = {}

    def stack() -> auto.Stack:
        opened = open_stack(name)
        if not known:
            known.update(secrets_of(configuration(opened)))
        return opened

    def guarded(what: Callable[[], str]) -> Callable[[], str]:
        """What may hold any word is left out where nobody can tell which words are secrets."""
        def text() -> str:
            stack()
            return what()
        return text

    def health() -> str:
        settings = Settings.parse(PROJECT, name, configuration(stack()))
        return "\n".join(f"{layer} {answer.service}: {'well' if answer.healthy else 'NOT WELL'}: {answer.detail} "
                         f"({answer.milliseconds:.0f} ms)" for layer, answer in ask(layers, settings)) or "no layer runs"

    sections: Sequence[tuple[str, Callable[[], str]]] = (
        ("versions", versions), ("machine", machine), ("environment", variables),
        ("settings", lambda: settings_text(name)), ("states", lambda: states(stack())), ("updates", lambda: updates(stack())),
        ("health", health), ("last update's output", guarded(lambda: last_update(name))),
        ("logs", guarded(lambda: last_lines(layers, name, tail))))
    parts = [f"{PROJECT}, stack {name}, {', '.join(layers)}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"]
    parts += [f"== {title} ==\n{tried(what)}" for title, what in sections]
    return cleaned("\n\n".join(parts), {**known, **passphrases()}) + "\n"


def tried(what: Callable[[], str]) -> str:
    """A section's text, or why there is none."""
    try:
        return what()
    except (OperationError, pulumi.RunError) as error:
        return f"not to be had: {error}"
    except Exception as error:  # a report of what is broken must not break at it
        return f"not to be had: {type(error).__name__}: {error}"


def cleaned(text: str, secrets: Mapping[str, str]) -> str:
    """The text without secrets and without what tells who a patient is; a secret is replaced by its name."""
    for name, value in sorted(secrets.items(), key=lambda item: -len(item[1])):
        if len(value) >= SHORTEST:
            text = text.replace(value, f"[secret {name}]")
    return "\n".join(redact(line) for line in GENERATED.sub(SECRET, text).splitlines())


def secrets_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Every secret of a stack's configuration, by name."""
    found = values.get(f"{NAMESPACE}:secrets") or {}
    decoded = yaml.safe_load(found) if isinstance(found, str) else found
    return {str(name): str(value) for name, value in decoded.items()}


def passphrases() -> dict[str, str]:
    """The passphrase, from wherever it comes."""
    given = os.environ.get("PULUMI_CONFIG_PASSPHRASE", "")
    file = Path(os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE") or PROJECT_FOLDER / ".state" / "passphrase")
    kept = file.read_text().strip() if file.is_file() else ""
    return {name: value for name, value in {"passphrase": given, "passphrase of the file": kept}.items() if value}


def versions() -> str:
    """Of this platform, Python, the engine and its plugins, Docker, and the pinned packages."""
    pinned = re.findall(r"^([\w.-]+)==", (PROJECT_FOLDER / "requirements.txt").read_text(), re.MULTILINE)
    packages = [f"{package} {metadata.version(package)}" for package in pinned]
    return "\n".join([f"commit {output('git', 'rev-parse', 'HEAD')}",
                      f"changed files: {output('git', 'status', '--short') or 'none'}",
                      f"Python {platform.python_version()}, {platform.platform()}", f"pulumi {output('pulumi', 'version')}",
                      output("pulumi", "plugin", "ls"), f"Docker: {tried(docker_version)}", *packages])


def docker_version() -> str:
    """The daemon's own word, and where it keeps its data."""
    client = connect()
    return f"{client.version()['Version']}, {client.info()['DockerRootDir']}, {client.info()['Driver']}"


def output(*command: str) -> str:
    """What a program prints, or why there is nothing."""
    try:
        done = subprocess.run(command, cwd=PROJECT_FOLDER, env=environment(PROJECT_FOLDER), capture_output=True, text=True,
                              check=False, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"({command[0]}: {error})"
    return done.stdout.strip() if done.returncode == 0 else f"({command[0]}: {done.stderr.strip()})"


def machine() -> str:
    """Processors, memory, free disk and load of this machine, and what Docker says of its own, which may be another."""
    disk = shutil.disk_usage(PROJECT_FOLDER)
    return (f"{os.cpu_count()} processors, load {', '.join(f'{load:.1f}' for load in os.getloadavg())}\n"
            f"{total_memory() / 2**30:.1f} GiB memory\n{disk.free / 2**30:.1f} of {disk.total / 2**30:.1f} GiB disk free\n"
            f"Docker's machine: {tried(docker_machine)}{' (another, through a tunnel)' if remote.elsewhere() else ''}")


def docker_machine() -> str:
    """Processors and memory of the machine that Docker runs on."""
    found = connect().info()
    return f"{found['NCPU']} processors, {found['MemTotal'] / 2**30:.1f} GiB memory, {found['Architecture']}"


def variables() -> str:
    """Which variables of the environment decide about engine, Docker and network; not their values."""
    given = [name for name in NAMES if os.environ.get(name) or os.environ.get(name.lower())]
    return f"set: {', '.join(given) or 'none'}\nnot set: {', '.join(name for name in NAMES if name not in given) or 'none'}"


def settings_text(name: str) -> str:
    """The stack's file as it is written, each secret replaced."""
    text = yaml.safe_load((PROJECT_FOLDER / f"Pulumi.{name}.yaml").read_text()) or {}
    values = (text.get("config") or {}).items()
    return yaml.safe_dump({key: without_secrets(value, key.endswith(":secrets")) for key, value in values})


def without_secrets(value: Any, secret: bool = False) -> Any:
    """A value of the configuration: what is encrypted is replaced, and so is everything of `secret`, encrypted or not."""
    if isinstance(value, Mapping):
        return SECRET if set(value) == {"secure"} else {key: without_secrets(inner, secret) for key, inner in value.items()}
    return SECRET if secret else [without_secrets(inner) for inner in value] if isinstance(value, list) else value


def states(stack: auto.Stack) -> str:
    """What each layer shall be and is, and what Docker says of each service."""
    client = connect()
    wishes, there = wanted(stack), declared(stack)
    rows = statuses(found(client, stack.name), there.services, wishes, image_names(client))
    is_ = verdicts(rows, wishes, there.layers, layer_kinds(), last_failed=last_update_failed(stack))
    lines = [f"{layer}: wanted {wishes[layer]}, is {is_[layer]}" for layer in wishes]
    return "\n".join([*lines, *(f"{row.service}: {row.state}, {row.health}, since {row.since}, {row.restarts} restarts, "
                                f"{row.image}, {row.ports}" for row in rows)])


def updates(stack: auto.Stack) -> str:
    """The last things that were done to the stack."""
    with engine(stack):
        return "\n".join(f"{entry.start_time} {entry.kind}: {entry.result} {dict(entry.resource_changes or {})}"
                         for entry in stack.history(page_size=UPDATES, show_secrets=False)) or "none"


def last_update(name: str) -> str:
    """The end of what the engine said in the last update."""
    file = LOGS / f"update-{name}.log"
    return "\n".join(file.read_text(errors="replace").splitlines()[-UPDATE_LINES:]) if file.is_file() else "none"


def last_lines(layers: Iterable[str], name: str, tail: int) -> str:
    """The end of each container's log."""
    return "\n".join(f"{service} | {line}" for container in found(connect(), name) if container.labels["clinical.layer"] in layers
                     for service, line in lines_of(container, tail, follow=False)) or "no container"
