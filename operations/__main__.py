"""`./pipeline LAYER COMMAND` and `./pipeline all COMMAND`: operates a stack, layer by layer."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import pulumi
import typer
from pulumi.automation import errors
from rich.console import Console

from components.settings import layer_kinds
from operations import commands, reading
from operations.environment import environment
from operations.images import ImageError
from operations.stack import PROJECT_FOLDER, OperationError

ALL = "all"
COMMON = {"no_args_is_help": True, "rich_markup_mode": "rich"}
EXPECTED = (OperationError, ImageError, pulumi.RunError, errors.StackNotFoundError, errors.ConcurrentUpdateError)


def application() -> typer.Typer:
    """The command with a group for each layer that exists, and `all`."""
    app = typer.Typer(name="pipeline", help="Operates the platform, layer by layer.", **COMMON)  # type: ignore[arg-type]
    for layer in [*layer_kinds(), ALL]:
        group = typer.Typer(help="Every layer." if layer == ALL else f"The {layer} layer.", **COMMON)  # type: ignore[arg-type]
        layers = list(layer_kinds()) if layer == ALL else [layer]
        commands.add(group, layers)
        reading.add(group, layers)
        app.add_typer(group, name=layer)
    app.command("pulumi", context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
                help="Runs a Pulumi command in the right environment.")(passed_on)
    return app


def passed_on(context: typer.Context, stack: Annotated[str, typer.Option(envvar="PULUMI_STACK")] = "dev") -> None:
    """Runs `pulumi` with the rest of the arguments."""
    status = subprocess.run(["pulumi", *context.args, "--stack", stack], cwd=PROJECT_FOLDER, env=environment(PROJECT_FOLDER),
                            check=False).returncode
    raise typer.Exit(status)


def main() -> int:
    """The exit status: 0, 1 after a message, 2 for wrong usage, 130 when interrupted."""
    try:
        application()(prog_name="./pipeline")
    except EXPECTED as error:
        Console(stderr=True).print(f"[bold red]error:[/] {error}", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
