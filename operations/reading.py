"""The commands that only look: status, health, logs, urls, validate."""

from __future__ import annotations

import json
import sys
import threading
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from components.settings import State, layer_kinds
from operations.commands import StackName
from operations.probes import ask, probes_of
from operations.services import as_json, connect, found, statuses, verdict
from operations.stack import OperationError, containers, open_stack, outputs, settings_of, wanted

Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
# What is not a terminal has no width of its own; a table must not be cut for it.
console, notes = Console(width=None if sys.stdout.isatty() else 160), Console(stderr=True)
COLOURS = {"up": "green", "running": "green", "healthy": "green", "stopped": "dim", "absent": "dim", "starting": "yellow"}


def add(group: typer.Typer, layers: list[str]) -> None:
    """Adds the commands for these layers to a group."""

    @group.command()
    def status(stack: StackName = "dev", as_data: Json = False) -> None:
        """What runs, since when, restarts, image, ports: from Docker itself, so true after any manual command."""
        show_status(layers, stack, as_data)

    @group.command()
    def health(stack: StackName = "dev", as_data: Json = False) -> None:
        """Asks every service through its own protocol."""
        show_health(layers, stack, as_data)

    @group.command()
    def logs(service: Annotated[str | None, typer.Argument(help="One service; all of them without it.")] = None,
             stack: StackName = "dev", follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on.")] = False,
             tail: Annotated[int, typer.Option(help="Lines of each service.")] = 100) -> None:
        """The containers' logs."""
        show_logs(layers, service, stack, follow, tail)

    @group.command()
    def urls(stack: StackName = "dev", as_data: Json = False) -> None:
        """Where every page is."""
        addresses: Any = outputs(open_stack(stack)).get("urls", {})
        if as_data:
            print(json.dumps(addresses))
        for name, url in sorted({} if as_data else addresses.items()):
            console.print(f"{name:<20} {url}", highlight=False)

    @group.command()
    def validate(stack: StackName = "dev") -> None:
        """Checks the configuration, and previews with the policies; changes nothing."""
        opened = open_stack(stack)
        settings_of(opened)
        try:
            opened.preview(on_output=lambda line: notes.print(line, end="", highlight=False, markup=False),
                           policy_packs=["policies"])
        except Exception as error:
            raise OperationError(f"the preview failed; its last words: {str(error).strip().splitlines()[-1]}") from None
        console.print("valid", style="green")


def show_status(layers: list[str], name: str, as_data: bool) -> None:
    """Prints each layer's verdict and services; exit status 1 unless every layer is what it shall be."""
    stack = open_stack(name)
    states, client = wanted(stack), connect()
    owners = {service: next(layer for layer in layer_kinds() if f"clinical:layer:{layer.capitalize()}$" in urn)
              for service, urn in containers(stack).items()}
    rows = statuses(found(client, name), owners)
    report = {layer: ([row for row in rows if row.layer == layer],
                      bool(layer_kinds()[layer].images)) for layer in layers}
    verdicts = {layer: verdict(own, states[layer], services) for layer, (own, services) in report.items()}
    if as_data:
        print(json.dumps({layer: {"wanted": states[layer].value, "is": verdicts[layer], "services": as_json(own)}
                          for layer, (own, _) in report.items()}, indent=2))
    else:
        table = Table("layer", "service", "state", "health", "since (UTC)", "restarts", "image", "ports", box=None)
        for layer, (own, _) in report.items():
            table.add_row(layer, "", coloured(verdicts[layer]), "", "", "", "", "", style="bold")
            for row in own:
                table.add_row("", row.service, coloured(row.state), coloured(row.health), row.since, str(row.restarts),
                              row.image, row.ports)
        console.print(table)
    wrong = [layer for layer, is_ in verdicts.items() if is_ != ("up" if states[layer] is State.RUNNING else states[layer])]
    if wrong:
        notes.print(f"not as wanted: {', '.join(wrong)}; `./pipeline {wrong[0]} start` brings back what is missing",
                    highlight=False)
        raise typer.Exit(1)


def show_health(layers: list[str], name: str, as_data: bool) -> None:
    """Prints the answer of each service; exit status 1 if one is not well."""
    settings = settings_of(open_stack(name))
    running = [layer for layer in settings.layers() if layer.layer in layers and layer.state is State.RUNNING]
    answers = [(layer.layer, ask(probe)) for layer in running for probe in probes_of(layer, settings)]
    if as_data:
        print(json.dumps([{"layer": layer, "service": a.service, "healthy": a.healthy, "detail": a.detail,
                           "milliseconds": round(a.milliseconds, 1)} for layer, a in answers], indent=2))
    else:
        for layer, answer in answers:
            mark = "[green]✓[/]" if answer.healthy else "[red]✗[/]"
            console.print(f"{mark} {layer:<15} {answer.service:<18} {answer.detail} ({answer.milliseconds:.0f} ms)",
                          highlight=False)
        for layer in layers:
            if layer not in {other.layer for other in running}:
                console.print(f"  {layer:<15} does not run; `./pipeline {layer} start` starts it", highlight=False)
    sick = [answer.service for _, answer in answers if not answer.healthy]
    if sick:
        notes.print(f"not well: {', '.join(sick)}; `./pipeline all logs {sick[0]}` shows why", highlight=False)
        raise typer.Exit(1)


def show_logs(layers: list[str], service: str | None, name: str, follow: bool, tail: int) -> None:
    """Prints the logs, each line behind its service where there are several."""
    own = [c for c in found(connect(), name) if c.labels["clinical.layer"] in layers]
    chosen = [c for c in own if service in (None, c.labels["clinical.service"])]
    if not chosen:
        known = ", ".join(c.labels["clinical.service"] for c in own) or "none runs; start the layer first"
        raise OperationError(f"there is no container of {service or ', '.join(layers)} in the stack {name}. Services: {known}")

    def show(container: Any) -> None:
        prefix = f"{container.labels['clinical.service']} | " if len(chosen) > 1 else ""
        for line in container.logs(stream=True, follow=follow, tail=tail):
            console.print(prefix + line.decode(errors="replace").rstrip("\n"), highlight=False, markup=False, soft_wrap=True)

    threads = [threading.Thread(target=show, args=(container,), daemon=True) for container in chosen]
    for thread in threads:
        thread.start()
        if not follow:
            thread.join()  # one service after the other, so that their lines stay together
    for thread in threads:
        thread.join()


def coloured(word: str) -> str:
    """A state in its colour."""
    return f"[{COLOURS.get(word, 'red')}]{word}[/]"
