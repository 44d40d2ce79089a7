"""Options that many commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def as_called(path: Path | None) -> Path | None:
    """A path as the user meant it, who may have called the command from another folder."""
    return Path(os.environ.get("PIPELINE_CALLER", "")) / path if path is not None else None


StackName = Annotated[str, typer.Option("--stack", envvar="PULUMI_STACK", help="The stack.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
DEFAULT_STACK = "dev"
