"""Completion of layers, commands and options in a shell."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Literal

import typer
from typer.completion import completion_init, get_completion_script  # type: ignore[attr-defined]

from operations.stack import PROJECT_FOLDER

VARIABLE = "_PIPELINE_COMPLETE"
"""By which a shell asks what could come next."""


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="Your shell.")]) -> None:
    """Prints what makes a shell complete layers, commands and options: `eval "$(./pipeline completion bash)"`."""
    text = get_completion_script(prog_name="pipeline", complete_var=VARIABLE, shell=shell)
    # Typer takes it that the command is on the PATH; bash alone asks what the user typed.
    print(re.sub(r' pipeline(?=[)"])', lambda _: f" {shlex.quote(str(PROJECT_FOLDER / 'pipeline'))}", text))


def add(app: typer.Typer) -> None:
    """Adds the command, and makes the application answer a shell that asks."""
    completion_init()
    app.command()(completion)
