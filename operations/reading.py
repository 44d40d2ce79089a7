"""The commands that only look: status, health, logs, urls, graph, validate, doctor, tunnel."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from components.settings import Settings, State, layer_kinds
from operations import doctor as reporting
from operations import drawing, graph, remote, validating
from operations.faults import OperationError
from operations.logs import show_logs
from operations.options import DEFAULT_STACK, Json, StackName, StackWithoutDocker, as_called
from operations.plugins import probes_of
from operations.probes import Answer, Probe, ask
from operations.services import ServiceStatus, as_json, connect, found, image_names, statuses, verdicts
from operations.showing import console, notes, say
from operations.stack import declared, last_update_failed, open_stack, outputs, settings_of, wanted

COLOURS = {"up": "green", "running": "green", "healthy": "green", "done": "green", "stopped": "dim", "absent": "dim",
           "none": "dim", "starting": "yellow"}
Form = Literal["mermaid", "svg"]
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

    @group.command("graph")
    def stack_graph(stack: StackName = DEFAULT_STACK,
                    form: Annotated[Form, typer.Option("--format", help="Text in Mermaid's language, or a picture.")] = "mermaid",
                    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; standard output without it.",
                                                                callback=as_called, dir_okay=False)] = None,
                    preview: Annotated[bool, typer.Option("--preview", help="As an update would make it, not as it is.")] = False,
                    as_data: Json = False) -> None:
        """The stack graph from the engine's own data: layers with their services, or one layer's services and what they need."""
        show_graph(layers, stack, form, output, preview, as_data)

    @group.command()
    def validate(stack: StackName = DEFAULT_STACK, as_data: Json = False) -> None:
        """Checks settings, images, ports, and a preview with the policies; changes nothing."""
        if not validating.show(validating.checks(layers, stack), as_data):
            raise typer.Exit(1)

    @group.command()
    def doctor(stack: StackWithoutDocker = DEFAULT_STACK,
               output: Annotated[Path | None, typer.Option("--output", "-o", help="The file.", callback=as_called,
                                                           dir_okay=False)] = None,
               tail: Annotated[int, typer.Option(min=0, help="Lines of each service's log.")] = 40) -> None:
        """Writes what a bug report needs into one file: versions, settings, states, health, last log lines; no secrets."""
        with remote.reached(stack, required=False):
            file = reporting.write(layers, stack, output, tail, answers_of)
        say(f"{file}: read it before you hand it on; secrets were taken out, and patients' data as far as rules can tell")


def add_for_all(group: typer.Typer) -> None:
    """Adds what concerns no single layer."""

    @group.command()
    def tunnel(stack: StackName = DEFAULT_STACK) -> None:
        """Brings Docker and the pages of another machine (DOCKER_HOST=ssh://…) here until Ctrl-C, and says where they are."""
        if remote.elsewhere():
            try:
                show_urls(list(layer_kinds()), stack, as_data=False)
            except OperationError as error:
                say(f"no page yet: {error}")
        remote.hold(stack)


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
    running = running_of(layers, settings)
    answers = answers_of(layers, settings)
    if as_data:
        print(json.dumps([{"layer": layer, **asdict(answer)} for layer, answer in answers], indent=2))
    else:
        for layer, answer in answers:
            console.print(answer_line(layer, answer), highlight=False, soft_wrap=True)
    for layer in layers:
        if layer not in running:
            notes.print(f"{layer} does not run; `./pipeline {layer} start --stack {name}` starts it", highlight=False)
    sick = [(layer, answer.service) for layer, answer in answers if not answer.healthy]
    for layer, count in Counter(layer for layer, _ in sick).items():
        notes.print(f"{layer}: {count} not well; `./pipeline {layer} status --stack {name}` shows what runs, "
                    f"`./pipeline {layer} logs --stack {name}` why", highlight=False)
    if sick or not answers:
        raise typer.Exit(1)


def running_of(layers: list[str], settings: Settings) -> list[str]:
    """Those of the layers that are wanted to run."""
    return [layer.layer for layer in settings.layers() if layer.layer in layers and layer.state is State.RUNNING]


def answers_of(layers: list[str], settings: Settings) -> list[tuple[str, Answer]]:
    """What each service of the layers that run says, with its layer.

    A service without a running container is not asked: on its port somebody else may answer, another stack say.
    """
    client, stack = connect(), settings.layers()[0].stack
    alive = {row.service for row in statuses(found(client, stack), {}) if row.state == "running"}
    questions = [(layer, probe if probe.service in alive or not layer_kinds()[layer].images else Probe(probe.service, away))
                 for layer in running_of(layers, settings) for probe in probes_of(layer, settings)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(zip([layer for layer, _ in questions], pool.map(ask, [probe for _, probe in questions]), strict=True))


def away() -> str:
    """The answer for a service whose container does not run."""
    raise RuntimeError("no container of it runs")


def show_graph(layers: list[str], name: str, form: Form, output: Path | None, preview: bool, as_data: bool) -> None:
    """Prints or writes the graph of all layers, or of the services of one. Raises OperationError."""
    stack = open_stack(name)
    if preview:
        with notes.status("asking the engine what an update would make"):
            found = graph.of_preview(stack)
    else:
        found = graph.of_state(stack)
    if len(layers) == 1:
        if layers[0] not in found.layers:
            raise OperationError(f"the last update of {name} made no {layers[0]}; `graph --preview` draws what the next one would")
        found = found.around(layers[0])
    services = len(layers) == 1 and layers[0] in found.services.values()
    text = json.dumps(found.as_data(), indent=2) + "\n" if as_data else \
        drawing.mermaid(found, services=services) if form == "mermaid" else drawing.picture(found, services=services)
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text)
    except OSError as error:
        raise OperationError(f"{output} cannot be written: {error.strerror}; name another file with --output") from None
    say(f"wrote {output}")


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
