"""`./pipeline LAYER COMMAND` and `./pipeline all COMMAND`: operates a stack, layer by layer."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext

import pulumi
import typer
from rich.console import Console
from rich.markup import escape

import toolchain
from components.settings import layer_kinds
from operations import commands, completion, plugins, reading, remote
from operations.environment import environment
from operations.faults import OperationError
from operations.images import ImageError
from operations.options import DEFAULT_STACK, StackWithoutDocker
from operations.stack import PROJECT_FOLDER

ALL = "all"
EXPECTED = (OperationError, ImageError, toolchain.ToolchainError, pulumi.RunError)
INTERRUPTED = 130
ASKING_DOCKER = {"destroy", "import", "pre", "preview", "refresh", "up", "update", "watch"}
"""Pulumi's commands that start its plugins. The others do without Docker, since one of them may mend what keeps it away."""


def application() -> typer.Typer:
    """The command with a group for each layer that exists, and `all`."""
    app = typer.Typer(name="pipeline", help="Operates the platform, layer by layer.", no_args_is_help=True,
                      add_completion=False, pretty_exceptions_enable=False)
    for layer in [*layer_kinds(), ALL]:
        group = typer.Typer(help="Every layer." if layer == ALL else f"The {layer} layer.", no_args_is_help=True)
        layers = list(layer_kinds()) if layer == ALL else [layer]
        commands.add(group, layers)
        reading.add(group, layers)
        if layer == ALL:
            commands.add_for_all(group)
            reading.add_for_all(group)
        else:
            plugins.add_commands(layer, group)
        app.add_typer(group, name=layer)
    app.command("pulumi", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(passed_on)
    completion.add(app)
    return app


def passed_on(context: typer.Context, stack: StackWithoutDocker = DEFAULT_STACK) -> None:
    """Runs a Pulumi command for the stack, in the right environment."""
    command = ["pulumi", *context.args, "--stack", stack]
    try:
        with remote.reached(stack) if ASKING_DOCKER.intersection(context.args[:1]) else nullcontext():
            status = subprocess.run(command, cwd=PROJECT_FOLDER, env=environment(PROJECT_FOLDER), check=False).returncode
    except FileNotFoundError:
        raise OperationError(f"there is no `pulumi`: `make up STACK={stack}` installs it") from None
    raise typer.Exit(status)


def main() -> int:
    """The exit status: 0, 1 after a message, 2 for wrong usage, 130 when interrupted."""
    try:
        application()(prog_name="./pipeline", complete_var=completion.VARIABLE)
    except EXPECTED as error:
        message = escape(str(error).removeprefix("error: "))
        Console(stderr=True).print(f"[bold red]error:[/] {message}", highlight=False, soft_wrap=True)
        return error.status if isinstance(error, OperationError) else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
