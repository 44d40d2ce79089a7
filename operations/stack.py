"""One stack: opened, switched, refreshed and brought to what its configuration says, through Pulumi's Automation API."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi import automation as auto
from rich.console import Console

import toolchain
from components.settings import NAMESPACE, LayerSettings, Settings, State, decoded, layer_kinds
from operations.environment import environment
from operations.faults import Interrupted, OperationError, explained, failed
from operations.progress import UpdateProgress
from operations.services import connect, found
from operations.showing import say

PROJECT_FOLDER = Path(__file__).parent.parent
LOGS = PROJECT_FOLDER / ".logs"
PROJECT = "clinical-mlops"
CONTAINER = "docker:index/container:Container"
IMAGE = "docker:index/remoteImage:RemoteImage"
LAYER = "clinical:layer:"
Kinds = Mapping[str, type[LayerSettings]]
SERVICES = ("clinical:service:Service", "clinical:service:Task")
INSIDE = ("minio:index/", "postgresql:index/", "kafka:index/")
"""Types of what is declared inside a service: buckets, users, rules, databases, roles, topics."""


class Workspace(auto.LocalWorkspace):
    """The project's folder; opening a stack does not select it for the `pulumi` commands that a user types later."""

    def select_stack(self, stack_name: str) -> None:
        """Fails unless there is such a stack."""
        self.pulumi_command.run(["stack", "--stack", stack_name], self.work_dir, self.env_vars)


@dataclass(frozen=True)
class Declared:
    """What the stack's state says that there is: the layer of each service, the URN and the layer of each container, their
    identities, the URNs of images, the state that each layer had in the last update, and the layer of each thing inside a service,
    by URN."""

    services: Mapping[str, str]
    containers: Mapping[str, tuple[str, str]]
    identities: Mapping[str, str]
    images: Sequence[str]
    layers: Mapping[str, str]
    inside: Mapping[str, str]

    @classmethod
    def of(cls, resources: Sequence[Mapping[str, Any]]) -> Declared:
        """Reads the resources of an exported stack. A resource belongs to the layer that its URN begins with."""
        kinds = {r["type"]: r for r in resources if r["type"].startswith(LAYER)}
        names = {kind: str(r["urn"]).rpartition("::")[2] for kind, r in kinds.items()}
        services, containers, identities, inside = {}, {}, {}, {}
        for resource in resources:
            kind, _, name = str(resource["urn"]).split("::", 2)[2].rpartition("::")
            layer = names.get(kind.partition("$")[0])
            if layer and resource["type"] in SERVICES:
                services[name] = layer
            if layer and resource["type"] == CONTAINER:
                containers[name], identities[name] = (str(resource["urn"]), layer), str(resource.get("id"))
            if layer and resource["type"].startswith(INSIDE):
                inside[str(resource["urn"])] = layer
        states = {names[kind]: str((r.get("outputs") or {}).get("state")) for kind, r in kinds.items()}
        return cls(services, containers, identities, [str(r["urn"]) for r in resources if r["type"] == IMAGE], states, inside)


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
        return auto.Stack.select(name, Workspace(work_dir=str(PROJECT_FOLDER), env_vars=variables))
    except FileNotFoundError:
        raise OperationError(f"there is no `pulumi`: `make up STACK={name}` installs it") from None
    except auto.InvalidVersionError as error:
        raise OperationError(f"{error}; `make up STACK={name}` installs the right one where none is on the PATH") from None
    except auto.CommandError as error:
        raise explained(error, name) from None


@contextmanager
def engine(stack: auto.Stack) -> Iterator[None]:
    """Turns an error of the engine into an OperationError."""
    try:
        yield
    except auto.CommandError as error:
        raise explained(error, stack.name) from None


def configuration(stack: auto.Stack) -> dict[str, Any]:
    """The stack's configuration, secrets in the open."""
    with engine(stack):
        return {key: value.value for key, value in stack.get_all_config().items()}


def settings_with(stack: auto.Stack, values: Mapping[str, str]) -> Settings:
    """The stack's settings, as they would be with these configuration values. Raises SettingsError with every fault."""
    return Settings.parse(PROJECT, stack.name, {**configuration(stack), **values})


def configure(stack: auto.Stack, key: str, value: str) -> None:
    """Writes one value into the stack's configuration."""
    with engine(stack):
        stack.set_config(key, auto.ConfigValue(value))


def settings_of(stack: auto.Stack, changes: Mapping[str, State] | None = None) -> Settings:
    """The stack's settings, as they would be after `changes`, secrets included. Raises SettingsError with every fault."""
    values, key = configuration(stack), f"{NAMESPACE}:layers"
    layers = decoded(values.get(key)) or {}
    return Settings.parse(PROJECT, stack.name, {**values, key: {**layers, **(changes or {})}} if changes else values)


def wanted(stack: auto.Stack) -> dict[str, State]:
    """The wanted state of each layer, as the configuration has it. Raises OperationError for one that there is not."""
    given = decoded(configuration(stack).get(f"{NAMESPACE}:layers")) or {}
    try:
        return {layer: State(given.get(layer, State.RUNNING)) for layer in layer_kinds()}
    except ValueError as error:
        raise OperationError(f"Pulumi.{stack.name}.yaml: clinical:layers: {error}; a layer is {', '.join(State)}") from None


def needed_by(layer: str, kinds: Kinds | None = None) -> list[str]:
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


def dependents_of(layer: str, kinds: Kinds | None = None) -> list[str]:
    """The layers that need `layer`, directly or not, topmost first."""
    kinds = kinds or layer_kinds()
    return [name for name in reversed(list(kinds)) if layer in needed_by(name, kinds)]


def plan(layers: Iterable[str], state: State, now: Mapping[str, State], kinds: Kinds | None = None) -> dict[str, State]:
    """What to write into the configuration so that `layers` have `state`: what they need starts too, what needs them stops.

    In the order in which it happens. Layers that are so already are left out; one that is absent stays absent when it or
    what it needs stops, since it has nothing left to keep.
    """
    kinds = kinds or layer_kinds()
    changes: dict[str, State] = {}
    for layer in layers:
        others = needed_by(layer, kinds) if state is State.RUNNING else dependents_of(layer, kinds)
        for name in [*others, layer]:
            if now[name] is not state and not (state is State.STOPPED and now[name] is State.ABSENT):
                changes[name] = state
    return changes


def switch(stack: auto.Stack, changes: Mapping[str, State]) -> None:
    """Writes the wanted states into the stack's configuration."""
    with engine(stack):
        for layer, state in changes.items():
            stack.set_config(f"{NAMESPACE}:layers.{layer}", auto.ConfigValue(state.value), path=True)


def declared(stack: auto.Stack) -> Declared:
    """What the stack's state says that there is."""
    with engine(stack):
        deployment = stack.export_stack().deployment or {}
    return Declared.of(deployment.get("resources", []))


def refresh_containers(stack: auto.Stack, inside: Collection[str] = ()) -> None:
    """Looks at the containers and their images as they really are, so that an update brings back what was killed or removed
    by hand, and runs images that were built again; and at what the layers `inside` declare inside of services.

    A full refresh would ask MinIO, PostgreSQL and Kafka, too, which may be the ones that are down. What an update that was killed
    was about to make is forgotten, and the containers that it made are removed: the next one makes them anew.
    """
    there = declared(stack)
    urns = [*there.images, *(urn for urn, _ in there.containers.values()),
            *(urn for urn, layer in there.inside.items() if layer in inside)]
    if urns:
        with engine(stack):
            stack.refresh(target=urns, color="never", on_output=lambda _: None, clear_pending_creates=True)
        remove_left_behind(stack)  # only here: the refresh would have failed while another update is under way


def remove_left_behind(stack: auto.Stack) -> None:
    """Removes containers that have the name of a service and that the stack's state does not know, which would be in the way."""
    there = declared(stack)
    for container in found(connect(), stack.name):
        service = container.labels["clinical.service"]
        if service in there.services and container.id != there.identities.get(service):
            container.stop()
            container.remove(force=True)
            say(f"removed {service}: an update that was cut off had left it behind")


def apply(stack: auto.Stack, console: Console, replace: Collection[str] = (), inside: Collection[str] = ()) -> None:
    """Brings the stack to what its configuration says and shows each change.

    `replace` are layers whose containers are made anew in any case, `inside` those of which buckets, databases and topics are
    looked at, too. Raises OperationError when the update fails, Interrupted when the user stops it.
    """
    LOGS.mkdir(exist_ok=True)
    log = LOGS / f"update-{stack.name}.log"
    with left_to_the_engine(), console.status("looking at what is there"):
        refresh_containers(stack, inside)
    # After the refresh: one that was removed by hand is made anew without being asked for, which the engine refuses.
    urns = [urn for urn, layer in declared(stack).containers.values() if layer in replace] if replace else []
    with left_to_the_engine(), log.open("w") as output, UpdateProgress(console) as progress:
        try:
            stack.up(on_event=progress.event, color="never", replace=urns,
                     on_output=lambda line: print(line, file=output, flush=True))
        except auto.CommandError as error:
            raise failed(progress.faults, error, stack.name, log) from None
    console.print(f"{stack.name}: {progress.summary()}", highlight=False)


@contextmanager
def left_to_the_engine() -> Iterator[None]:
    """Ctrl-C goes to the engine alone, which ends what it has begun and gives the stack's lock back. Raises Interrupted then.

    It belongs to the terminal's foreground processes as we do, so it gets the signal by itself. Ending before it would
    leave it at work behind the user's back.
    """
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        yield
    except OperationError:
        if not seen:
            raise
    finally:
        signal.signal(signal.SIGINT, before)
    if seen:
        raise Interrupted("interrupted; the same command goes on from here")


def outputs(stack: auto.Stack) -> dict[str, Any]:
    """The stack's outputs, as plain values."""
    with engine(stack):
        return {key: output.value for key, output in stack.outputs().items()}


def last_update_failed(stack: auto.Stack) -> bool:
    """Whether the stack is as an update left it that did not reach its end."""
    with engine(stack):
        updates = (entry for entry in stack.history(page_size=10, show_secrets=False) if entry.kind == "update")
        return any(entry.result != "succeeded" for entry in list(updates)[:1])
