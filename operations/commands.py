"""The commands that change something: start, stop, restart, build."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console

from components.settings import State, layer_kinds
from operations.stack import IMAGE, PROJECT, apply, containers, open_stack, plan, settings_of, switch, wanted

StackName = Annotated[str, typer.Option("--stack", envvar="PULUMI_STACK", help="The stack.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
console = Console(stderr=True)


def add(group: typer.Typer, layers: list[str]) -> None:
    """Adds the commands for these layers to a group."""

    @group.command()
    def start(stack: StackName = "dev", dry_run: DryRun = False) -> None:
        """Starts the layer, and what it needs before it."""
        change(layers, State.RUNNING, stack, dry_run)

    @group.command("start-force")
    def start_force(stack: StackName = "dev", dry_run: DryRun = False) -> None:
        """Starts the layer with new containers, whatever state they are in; data stays."""
        change(layers, State.RUNNING, stack, dry_run, force=True)

    @group.command()
    def stop(stack: StackName = "dev", dry_run: DryRun = False) -> None:
        """Stops what depends on the layer, then the layer; data stays."""
        change(list(reversed(layers)), State.STOPPED, stack, dry_run)

    @group.command("stop-full")
    def stop_full(stack: StackName = "dev", dry_run: DryRun = False, yes: Yes = False) -> None:
        """Removes the layer, and what depends on it, with all data. Asks first."""
        change(list(reversed(layers)), State.ABSENT, stack, dry_run, ask=not yes)

    @group.command()
    def restart(stack: StackName = "dev", dry_run: DryRun = False) -> None:
        """Gives the layer new containers; what depends on it keeps running."""
        change(layers, State.RUNNING, stack, dry_run, force=True)

    @group.command()
    def build(stack: StackName = "dev") -> None:
        """Builds the layer's images that are missing."""
        build_images(layers, stack, again=False)

    @group.command()
    def rebuild(stack: StackName = "dev") -> None:
        """Builds the layer's images again."""
        build_images(layers, stack, again=True)


def change(layers: list[str], state: State, name: str, dry_run: bool, *, force: bool = False, ask: bool = False) -> None:
    """Writes the wanted states and brings the stack there; says first what else has to start or stop with it."""
    stack = open_stack(name)
    changes = plan(layers, state, wanted(stack))
    others = [layer for layer in changes if layer not in layers]
    if others:
        why = "needed" if state is State.RUNNING else "depends on it"
        console.print(f"also {state}: {', '.join(others)} ({why})", highlight=False)
    if dry_run:
        console.print(f"would be {state}: {', '.join(changes) or 'nothing; all of it is so already'}", highlight=False)
        return
    if ask:
        doomed = ", ".join(dict.fromkeys([*changes, *layers]))
        typer.confirm(f"Remove {doomed} of the stack {name} with all data?", abort=True)
    replace = [urn for service, urn in containers(stack).items() if any(f"layer:{layer.capitalize()}" in urn for layer in layers)] \
        if force else None
    switch(stack, changes)
    apply(stack, console, replace)


def build_images(layers: Iterable[str], name: str, *, again: bool) -> None:
    """Builds or pulls what these layers run, as an update of the stack would, and nothing else of the stack."""
    stack = open_stack(name)
    catalog = settings_of(stack).catalog
    chosen = dict.fromkeys(catalog.choose(image) for layer in layers for image in layer_kinds()[layer].images)
    urns = [f"urn:pulumi:{name}::{PROJECT}::{IMAGE}::{image}-image" for image in chosen if image]
    for image, why in catalog.left_out.items():
        console.print(f"  {image}: {why}", highlight=False)
    if urns:
        apply(stack, console, replace=urns if again else None, target=urns)
