"""The commands that change something: start, stop, restart, init, build."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import requests
import typer
from docker import DockerClient
from docker.errors import DockerException
from rich.console import Console

from components.settings import State, layer_kinds
from operations import rotating
from operations.faults import OperationError
from operations.images import ensure_built, exists
from operations.options import DEFAULT_STACK, DryRun, StackName, Yes
from operations.services import connect, found, statuses, wait_until_up
from operations.stack import (
    apply,
    declared,
    needed_by,
    open_stack,
    plan,
    settings_of,
    switch,
    wanted,
)

console = Console(stderr=True, soft_wrap=True)


def add(group: typer.Typer, layers: list[str]) -> None:
    """Adds the commands for these layers, what others need first, to a group."""
    downwards = list(reversed(layers))

    @group.command()
    def start(stack: StackName = DEFAULT_STACK, dry_run: DryRun = False) -> None:
        """Starts the layer, and what it needs before it; brings back what was killed or removed by hand."""
        change(layers, State.RUNNING, stack, dry_run=dry_run)

    @group.command("start-force")
    def start_force(stack: StackName = DEFAULT_STACK, dry_run: DryRun = False) -> None:
        """Starts the layer with new containers, whatever state they are in; data stays."""
        change(layers, State.RUNNING, stack, dry_run=dry_run, force=True)

    @group.command()
    def stop(stack: StackName = DEFAULT_STACK, dry_run: DryRun = False) -> None:
        """Stops what depends on the layer, then the layer; data stays."""
        change(downwards, State.STOPPED, stack, dry_run=dry_run)

    @group.command("stop-full")
    def stop_full(stack: StackName = DEFAULT_STACK, dry_run: DryRun = False, yes: Yes = False) -> None:
        """Removes the layer, and what depends on it, with all data. Asks first."""
        change(downwards, State.ABSENT, stack, dry_run=dry_run, ask=not yes)

    @group.command()
    def restart(stack: StackName = DEFAULT_STACK, dry_run: DryRun = False) -> None:
        """Gives a running layer new containers; what depends on it keeps running. Data stays."""
        restart_layers(layers, stack, dry_run=dry_run)

    @group.command("init")
    def initialise(stack: StackName = DEFAULT_STACK, dry_run: DryRun = False) -> None:
        """Makes the layer's buckets, users, rules, databases and topics that somebody removed or changed by hand."""
        initialise_layers(layers, stack, dry_run=dry_run)

    @group.command()
    def build(stack: StackName = DEFAULT_STACK, dry_run: DryRun = False) -> None:
        """Builds or pulls the layer's images that are missing."""
        build_images(layers, stack, again=False, dry_run=dry_run)

    @group.command()
    def rebuild(stack: StackName = DEFAULT_STACK, dry_run: DryRun = False) -> None:
        """Builds or pulls the layer's images again."""
        build_images(layers, stack, again=True, dry_run=dry_run)


def add_for_all(group: typer.Typer) -> None:
    """Adds what concerns no single layer."""

    @group.command("rotate-secrets")
    def rotate_secrets(names: Annotated[list[str] | None, typer.Argument(help="Secrets by name.")] = None,
                       stack: StackName = DEFAULT_STACK,
                       every: Annotated[bool, typer.Option("--every", help="All that can be changed this way.")] = False,
                       dry_run: DryRun = False, yes: Yes = False) -> None:
        """New passwords in the configuration, the stores and the containers that use them. Asks first."""
        secrets = rotating.chosen(names or [], every)
        if dry_run:
            console.print(f"would be new: {', '.join(secrets)}", highlight=False)
            return
        if not yes:
            confirm(f"Give {len(secrets)} secrets of the stack {stack} new values? The containers that use them are replaced.")
        rotating.rotate(stack, secrets, console)


def change(layers: list[str], state: State, name: str, *, dry_run: bool = False, force: bool = False, ask: bool = False) -> None:
    """Writes the wanted states and brings the stack there; says first what else has to start or stop with it.

    Nothing is written that the program would refuse. Raises OperationError and SettingsError.
    """
    client, stack = connect(), open_stack(name)
    now = wanted(stack)
    changes = plan(layers, state, now)
    settings = settings_of(stack, changes)
    announce(layers, state, changes)
    if state is State.ABSENT and changes:
        holding = set(declared(stack).inside.values())
        refuse_removal(name, {**now, **changes}, [layer for layer in changes if layer in holding], settings.platform.protect)
    concerned = [layer for layer in layer_kinds() if layer in {*layers, *changes}]
    if dry_run:
        rows = [row for row in statuses(found(client, name), declared(stack).services, now) if row.declared]
        anew = [row.service for row in rows if row.layer in concerned and (row.gone or (force and row.layer in layers))]
        say_plan(state, changes, anew if state is State.RUNNING else [])
        return
    if ask and changes:
        confirm(f"Remove {', '.join(changes)} of the stack {name} with all data?")
    switch(stack, changes)
    apply(stack, console, replace=layers if force else ())
    if state is State.RUNNING:
        needed = {need for layer in concerned for need in needed_by(layer)}
        wait_until_up(client, name, declared(stack).services, [*needed, *concerned], console)


def refuse_removal(name: str, after: Mapping[str, State], inside: Iterable[str], protect: bool) -> None:
    """Raises OperationError where the engine could not remove data and would fail in the middle. `inside` are layers that go and
    have declared something inside of a server, which would have to remove it."""
    if protect:
        raise OperationError(f"the stack {name} protects its data (clinical:protect), so nothing was removed. What to do: set "
                             f"clinical:protect to false, run `./pipeline all start --stack {name}`, then this command again.")
    for layer in inside:
        for need in needed_by(layer):
            if after[need] is State.STOPPED:
                raise OperationError(f"{layer} keeps its data in {need}, which is stopped, so nothing was removed. What to do: "
                                     f"`./pipeline {need} start --stack {name}`, then this command again.")


def announce(layers: list[str], state: State, changes: dict[str, State]) -> None:
    """Says which layers change that the user did not name, and why."""
    others = [layer for layer in changes if layer not in layers]
    if others:
        word = {State.RUNNING: "starts too, since it is needed", State.STOPPED: "stops first, since it depends on it",
                State.ABSENT: "goes first with its data, since it depends on it"}[state]
        for other in others:
            console.print(f"{other}: {word}", highlight=False)


def say_plan(state: State, changes: dict[str, State], services: list[str]) -> None:
    """What a dry run says."""
    console.print(f"would be {state}: {', '.join(changes) or 'nothing that is not so already'}", highlight=False)
    if services:
        console.print(f"would get new containers: {', '.join(services)}", highlight=False)


def confirm(question: str) -> None:
    """Asks. Raises OperationError unless the answer is yes."""
    try:
        typer.confirm(question, abort=True, err=True)
    except typer.Abort:
        raise OperationError("nothing was changed; `--yes` answers the question beforehand") from None


def restart_layers(layers: list[str], name: str, *, dry_run: bool) -> None:
    """Gives those of the layers that run new containers. Raises OperationError if none of them does."""
    now = wanted(open_stack(name))
    running = [layer for layer in layers if now[layer] is State.RUNNING]
    if not running:
        raise OperationError(f"{', '.join(layers)} does not run; `./pipeline {layers[0]} start --stack {name}` starts it")
    change(running, State.RUNNING, name, dry_run=dry_run, force=True)


def initialise_layers(layers: list[str], name: str, *, dry_run: bool) -> None:
    """Compares what the layers declare inside of services with what is there, and mends it. Raises OperationError."""
    connect()
    stack = open_stack(name)
    states, inside = wanted(stack), declared(stack).inside
    off = [layer for layer in layers if states[layer] is not State.RUNNING]
    if len(off) == len(layers):
        raise OperationError(f"{', '.join(off)} does not run; `./pipeline {layers[0]} start --stack {name}` starts it")
    own = [layer for layer in layers if layer not in off and layer in inside.values()]
    count = sum(layer in own for layer in inside.values())
    if not count:
        console.print("nothing is declared inside of services here", highlight=False)
    elif dry_run:
        console.print(f"would compare {count} buckets, users, rules, databases, roles and topics of {', '.join(own)}, and mend "
                      "what differs", highlight=False)
    else:
        apply(stack, console, inside=own)


def build_images(layers: list[str], name: str, *, again: bool, dry_run: bool = False) -> None:
    """Builds or pulls the images of these layers that are missing, or with `again` all of them. The next start runs them.

    Raises OperationError and ImageError.
    """
    client, catalog = connect(), settings_of(open_stack(name)).catalog
    chosen = filter(None, (catalog.choose(image) for layer in layers for image in layer_kinds()[layer].images))
    # Several images may be built from one folder, and are one then.
    images = {catalog.reference(image): image for image in chosen}
    for image, why in catalog.left_out.items():
        console.print(f"{image}: {why}", highlight=False)
    done = 0
    for reference, image in images.items():
        pulled = catalog.pulled(image)
        if not again and exists(client, reference):
            continue
        done += 1
        if dry_run:
            console.print(f"would {'pull' if pulled else 'build'} {reference}", highlight=False)
        elif pulled:
            pull(client, reference)
        else:
            ensure_built(str(catalog.images[image].folder), console, rebuild=again)
    if again and done and not dry_run:
        console.print(f"`./pipeline {layers[-1]} start --stack {name}` runs the new images", highlight=False)
    elif not done:
        console.print("every image is there" if images else "no images of its own", highlight=False)


def pull(client: DockerClient, reference: str) -> None:
    """Gets an image from its registry. Raises OperationError."""
    try:
        with console.status(f"pulling {reference}"):
            client.images.pull(reference)
    except (DockerException, requests.RequestException) as error:
        raise OperationError(f"{reference} cannot be pulled: {error}\nWhat to do: set clinical:registryMirror to a registry that "
                             "has it, or clinical:images to build.") from None
    console.print(f"pulled {reference}", highlight=False)
