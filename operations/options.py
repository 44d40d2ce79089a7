"""Options that many commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from operations import remote


def as_called(path: Path | None) -> Path | None:
    """A path as the user meant it, who may have called the command from another folder."""
    return Path(os.environ.get("PIPELINE_CALLER", "")) / path if path is not None else None


def reached(context: typer.Context, stack: str) -> str:
    """Where the stack's Docker is on another machine, brings it here for as long as the command runs."""
    if not context.resilient_parsing:  # a shell that completes a line must not wait for another machine
        context.with_resource(remote.reached(stack))
    return stack


StackName = Annotated[str, typer.Option("--stack", envvar="PULUMI_STACK", help="The stack.", callback=reached)]
StackWithoutDocker = Annotated[str, typer.Option("--stack", envvar="PULUMI_STACK", help="The stack.")]
"""For commands that see to Docker by themselves."""
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
DEFAULT_STACK = "dev"
