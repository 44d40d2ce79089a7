"""One stack: opened, switched, refreshed and brought to what its configuration says, through Pulumi's Automation API."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pulumi import automation as auto
from pulumi.automation import events
from rich.console import Console

import toolchain
from components.settings import NAMESPACE, LayerSettings, Settings, State, layer_kinds
from operations.environment import environment

PROJECT_FOLDER = Path(__file__).parent.parent
PROJECT = "clinical-mlops"
CONTAINER = "docker:index/container:Container"
IMAGE = "docker:index/remoteImage:RemoteImage"
QUIET = (auto.OpType.SAME, auto.OpType.REFRESH)
ADVICE = (
    ("no stack named", "this stack does not exist yet: `make up STACK=NAME` makes it"),
    ("incorrect passphrase", "the stack was encrypted with another passphrase: put that one into the file that "
                             "PULUMI_CONFIG_PASSPHRASE_FILE names (.state/passphrase unless you set it)"),
    ("the stack is currently locked", "another update is under way, or one was cut off: wait for it, or "
                                      "`./pipeline pulumi cancel --yes`"),
    ("Cannot connect to the Docker daemon", "Docker does not answer: `make up` starts it where it may"),
    ("failed to be in healthy state", "a container did not become healthy: `./pipeline all logs SERVICE` shows why; "
                                      "then run the command again"),
    ("port is already allocated", "another program took one of the ports: stop it, or set clinical:portOffset"),
)


class OperationError(Exception):
    """A command cannot be carried out; the message says what is wrong and what to do."""


def open_stack(name: str) -> auto.Stack:
    """The stack with that name. Raises OperationError where it, the engine or the passphrase is missing."""
    try:
        variables = environment(PROJECT_FOLDER)
    except toolchain.ToolchainError as error:
        raise OperationError(str(error)) from None
    backend = variables["PULUMI_BACKEND_URL"].removeprefix("file://")
    if backend.startswith("/") and not Path(backend).is_dir():
        raise OperationError(f"there is no stack {name}: nothing was set up here yet; `make up STACK={name}` does it")
    os.environ["PATH"] = variables["PATH"]  # the Automation API asks the engine's version before it takes our variables
    try:
        return auto.select_stack(name, work_dir=str(PROJECT_FOLDER), opts=auto.LocalWorkspaceOptions(env_vars=variables))
    except FileNotFoundError:
        raise OperationError("there is no `pulumi`: `make up` installs it") from None
    except auto.CommandError as error:
        raise explained(error, name) from None


def explained(error: Exception, stack: str) -> OperationError:
    """The engine's error in its own words, and what to do about it."""
    text = str(error)
    advice = next((words for sign, words in ADVICE if sign.lower() in text.lower()), None)
    lines = [line.strip() for line in text.splitlines() if "error:" in line] or text.strip().splitlines()[-3:]
    shown = "\n".join(dict.fromkeys(lines))
    return OperationError(shown + (f"\nWhat to do: {advice.replace('NAME', stack)}." if advice else ""))


def settings_of(stack: auto.Stack) -> Settings:
    """The stack's whole configuration, secrets included. Raises SettingsError with every fault."""
    try:
        values = stack.get_all_config()
    except auto.CommandError as error:
        raise explained(error, stack.name) from None
    return Settings.parse(PROJECT, stack.name, {key: value.value for key, value in values.items()})


def wanted(stack: auto.Stack) -> dict[str, State]:
    """The wanted state of each layer, as the configuration has it."""
    return {layer.layer: layer.state for layer in settings_of(stack).layers()}


def needed_by(layer: str, kinds: dict[str, type[LayerSettings]] | None = None) -> list[str]:
    """The layers that `layer` needs, directly or not, lowest first."""
    kinds = kinds or layer_kinds()
    found: set[str] = set()
    queue = [layer]
    while queue:
        for need in kinds[queue.pop()].needs:
            if need in kinds and need not in found:
                found.add(need)
                queue.append(need)
    return [name for name in kinds if name in found]


def dependents_of(layer: str, kinds: dict[str, type[LayerSettings]] | None = None) -> list[str]:
    """The layers that need `layer`, directly or not, topmost first."""
    kinds = kinds or layer_kinds()
    return [name for name in reversed(list(kinds)) if layer in needed_by(name, kinds)]


def plan(layers: Iterable[str], state: State, now: dict[str, State],
         kinds: dict[str, type[LayerSettings]] | None = None) -> dict[str, State]:
    """What to write into the configuration so that `layers` have `state`: what they need starts too, what needs them stops.

    Layers that are so already are left out. A layer that is absent stays absent when what it needs stops.
    """
    kinds = kinds or layer_kinds()
    changes: dict[str, State] = {}
    for layer in layers:
        others = needed_by(layer, kinds) if state is State.RUNNING else dependents_of(layer, kinds)
        for name in ([*others, layer]):
            if now[name] is not state and not (state is State.STOPPED and now[name] is State.ABSENT):
                changes[name] = state
    return changes


def switch(stack: auto.Stack, changes: dict[str, State]) -> None:
    """Writes the wanted states into the stack's configuration."""
    for layer, state in changes.items():
        stack.set_config(f"{NAMESPACE}:layers.{layer}", auto.ConfigValue(state.value), path=True)


def containers(stack: auto.Stack) -> dict[str, str]:
    """The URN of each container in the stack's state, by service."""
    try:
        deployment = stack.export_stack().deployment or {}
    except auto.CommandError as error:
        raise explained(error, stack.name) from None
    return {r["urn"].rpartition("::")[2]: r["urn"] for r in deployment.get("resources", []) if r["type"] == CONTAINER}


def refresh_containers(stack: auto.Stack) -> None:
    """Looks at the containers as they really are, so that an update brings back what was killed or removed by hand.

    A full refresh would ask MinIO, PostgreSQL and Kafka, too, which may be the ones that are down.
    """
    urns = list(containers(stack).values())
    if urns:
        try:
            stack.refresh(target=urns, on_output=lambda _: None)
        except auto.CommandError as error:
            raise explained(error, stack.name) from None


def apply(stack: auto.Stack, console: Console, replace: list[str] | None = None, target: list[str] | None = None) -> None:
    """Brings the stack, or the `target` resources of it, to what its configuration says and shows each change.

    `replace` are resources to make anew in any case. Raises OperationError when the update fails.
    """
    start, done, faults = time.monotonic(), Counter[str](), list[str]()
    with console.status("looking at the containers") as status:
        refresh_containers(stack)

        def event(seen: events.EngineEvent) -> None:
            if seen.res_outputs_event and (step := seen.res_outputs_event.metadata).op not in QUIET:
                done[step.op.value] += 1
                console.print(f"  {step.op.value:<18} {step.urn.rpartition('::')[2]}", highlight=False)
            if seen.resource_pre_event and (step := seen.resource_pre_event.metadata).op not in QUIET:
                status.update(f"{step.op.value} {step.urn.rpartition('::')[2]}")
            if seen.diagnostic_event and seen.diagnostic_event.severity == "error":
                faults.append(seen.diagnostic_event.message.strip())

        status.update("updating")
        try:
            stack.up(on_event=event, on_output=lambda _: None, replace=replace, target=target)
        except auto.CommandError as error:
            raise explained(RuntimeError("\n".join(f"error: {fault}" for fault in faults) or str(error)), stack.name) from None
    changes = ", ".join(f"{count} {op}" for op, count in sorted(done.items())) or "nothing to do"
    console.print(f"{stack.name}: {changes} ({time.monotonic() - start:.0f} s)", highlight=False)


def outputs(stack: auto.Stack) -> dict[str, object]:
    """The stack's outputs, as plain values."""
    return json.loads(json.dumps({key: value.value for key, value in stack.outputs().items()}, default=str))  # type: ignore[no-any-return]
