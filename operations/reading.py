"""The commands that only look: status, health, logs, urls, validate."""

from __future__ import annotations

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Annotated

import typer
from pulumi import automation as auto
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.settings import State, layer_kinds
from operations.faults import OperationError, explained
from operations.logs import show_logs
from operations.options import DEFAULT_STACK, Json, StackName
from operations.plugins import probes_of
from operations.probes import Answer, ask
from operations.services import ServiceStatus, as_json, connect, found, image_names, statuses, verdicts
from operations.stack import declared, last_update_failed, open_stack, outputs, settings_of, wanted

# What is not a terminal has no width of its own; a table must not be cut for it.
console, notes = Console(width=None if sys.stdout.isatty() else 200), Console(stderr=True, soft_wrap=True)
COLOURS = {"up": "green", "running": "green", "healthy": "green", "done": "green", "stopped": "dim", "absent": "dim",
           "none": "dim", "starting": "yellow"}
AT_ONCE = 8
"""Probes that run side by side, so that many silent servers do not add up their time limits."""


def add(group: typer.Typer, layers: list[str]) -> None:
    """Adds the commands for these layers to a group."""

    @group.command()
    def status(stack: StackName = DEFAULT_STACK, as_data: Json = False) -> None:
        """What runs, since when, restarts, image, ports: from Docker itself, so true after any manual command."""
        show_status(layers, stack, as_data)

    @group.command()
    def health(stack: StackName = DEFAULT_STACK, as_data: Json = False) -> None:
        """Asks every service through its own protocol."""
        show_health(layers, stack, as_data)

    @group.command()
    def logs(service: Annotated[str | None, typer.Argument(help="One service; all of them without it.")] = None,
             stack: StackName = DEFAULT_STACK,
             follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
             tail: Annotated[int, typer.Option(min=0, help="Lines of each service.")] = 100) -> None:
        """The containers' logs."""
        show_logs(layers, service, stack, follow, tail)

    @group.command()
    def urls(stack: StackName = DEFAULT_STACK, as_data: Json = False) -> None:
        """Where every page is."""
        show_urls(layers, stack, as_data)

    @group.command()
    def validate(stack: StackName = DEFAULT_STACK) -> None:
        """Checks the configuration, and previews with the policies; changes nothing."""
        opened = open_stack(stack)
        settings_of(opened)
        try:
            opened.preview(on_output=lambda line: notes.print(line, highlight=False, markup=False, soft_wrap=True),
                           color="never", policy_packs=["policies"])
        except auto.CommandError as error:
            raise explained(error, stack) from None
        notes.print("valid", style="green")


def show_status(layers: list[str], name: str, as_data: bool) -> None:
    """Prints each layer's verdict and services; exit status 1 unless every layer is what it shall be."""
    client, stack = connect(), open_stack(name)
    states, there, cut_off = wanted(stack), declared(stack), last_update_failed(stack)
    rows = statuses(found(client, name), there.services, states, image_names(client))
    is_ = verdicts(rows, states, there.layers, layer_kinds(), last_failed=cut_off)
    shown = {layer: [row for row in rows if row.layer == layer] for layer in layers}
    if as_data:
        print(json.dumps({layer: {"wanted": states[layer].value, "is": is_[layer], "services": as_json(own)}
                          for layer, own in shown.items()}, indent=2))
    else:
        console.print(status_table(shown, is_))
    strangers = [row.service for own in shown.values() for row in own if not row.declared]
    if strangers:
        notes.print(f"not of this stack's program: {', '.join(strangers)}; `docker rm -f` removes what nobody needs",
                    highlight=False)
    if cut_off:
        notes.print(f"the last update of {name} did not reach its end; the same command again goes on from there", highlight=False)
    wrong = [layer for layer in layers if is_[layer] != ("up" if states[layer] is State.RUNNING else states[layer])]
    for layer in wrong:
        mend = {State.RUNNING: ("start", "brings back what is missing"), State.STOPPED: ("stop", "stops what still runs"),
                State.ABSENT: ("stop-full", "removes what is left")}[states[layer]]
        notes.print(f"{layer} is {is_[layer]}, wanted is {states[layer]}; `./pipeline {layer} {mend[0]} --stack {name}` {mend[1]}",
                    highlight=False)
    if wrong:
        raise typer.Exit(1)


def status_table(shown: dict[str, list[ServiceStatus]], verdicts: dict[str, str]) -> Table:
    """A line a layer, and one a service below it."""
    table = Table("layer", "service", "state", "health", "since (UTC)", "restarts", "image", "ports", box=None)
    for layer, own in shown.items():
        table.add_row(layer, "", coloured(verdicts[layer]), style="bold")
        for row in own:
            table.add_row("", row.service, coloured(row.state), coloured(row.health), row.since, str(row.restarts),
                          escape(row.image), row.ports)
    return table


def show_health(layers: list[str], name: str, as_data: bool) -> None:
    """Prints the answer of each service; exit status 1 if one is not well, or if there is none to ask."""
    settings = settings_of(open_stack(name))
    running = [layer for layer in settings.layers() if layer.layer in layers and layer.state is State.RUNNING]
    questions = [(layer.layer, probe) for layer in running for probe in probes_of(layer.layer, settings)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(zip([layer for layer, _ in questions], pool.map(ask, [probe for _, probe in questions]), strict=True))
    if as_data:
        print(json.dumps([{"layer": layer, **asdict(answer)} for layer, answer in answers], indent=2))
    else:
        for layer, answer in answers:
            console.print(answer_line(layer, answer), highlight=False, soft_wrap=True)
    for layer in layers:
        if layer not in {other.layer for other in running}:
            notes.print(f"{layer} does not run; `./pipeline {layer} start --stack {name}` starts it", highlight=False)
    sick = [(layer, answer.service) for layer, answer in answers if not answer.healthy]
    for layer, count in Counter(layer for layer, _ in sick).items():
        notes.print(f"{layer}: {count} not well; `./pipeline {layer} status --stack {name}` shows what runs, "
                    f"`./pipeline {layer} logs --stack {name}` why", highlight=False)
    if sick or not answers:
        raise typer.Exit(1)


def answer_line(layer: str, answer: Answer) -> str:
    """One answer for a person."""
    mark = "[green]✓[/]" if answer.healthy else "[red]✗[/]"
    return f"{mark} {layer:<15} {answer.service:<18} {escape(answer.detail)} ({answer.milliseconds:.0f} ms)"


def show_urls(layers: list[str], name: str, as_data: bool) -> None:
    """Prints the address of each page of the layers, by its name."""
    stack = open_stack(name)
    pages: dict[str, str] = outputs(stack).get("urls") or {}
    owned = {port for layer in settings_of(stack).layers() if layer.layer in layers for port in layer.published()}
    own = {page: url for page, url in sorted(pages.items()) if page in owned}
    if as_data:
        print(json.dumps(own, indent=2))
        return
    for page, url in own.items():
        console.print(f"{page:<20} {url}", highlight=False, soft_wrap=True)
    if not own:
        raise OperationError(f"{', '.join(layers)} has no page now. What to do: `./pipeline all status --stack {name}` shows what "
                             "runs, `./pipeline all urls` every page.")


def coloured(word: str) -> str:
    """A state in its colour."""
    return f"[{COLOURS.get(word, 'red')}]{word}[/]"
