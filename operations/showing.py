"""What a command has found, for a person as a table and for a program as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# What is not a terminal has no width of its own; a table must not be cut for it.
console, notes = Console(width=None if sys.stdout.isatty() else 200), Console(stderr=True, soft_wrap=True)


def show(found: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, as_data: bool, nothing: str = "") -> None:
    """Prints the rows: as JSON whole, else the columns (heading by key). `nothing` is said where there are no rows."""
    if as_data:
        show_data(list(found))
    elif found:
        console.print(table(found, columns))
    elif nothing:
        say(nothing)


def show_data(found: Any) -> None:
    """Prints a value as JSON."""
    print(json.dumps(found, indent=2, default=str))


def show_facts(found: Mapping[str, Any], *, as_data: bool) -> None:
    """Prints names with their values, a line each."""
    if as_data:
        show_data(dict(found))
        return
    width = max(map(len, found), default=0)
    for name, value in found.items():
        console.print(f"{name:<{width}}  {cell(value)}", highlight=False, markup=False, soft_wrap=True)


def table(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> Table:
    """A table of some columns."""
    made = Table(*columns.values(), box=None)
    for row in rows:
        made.add_row(*(escape(cell(row.get(key))) for key in columns))
    return made


def cell(value: Any) -> str:
    """A value in a few characters: times in UTC to the second, numbers with separators, lists by their parts."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {cell(inner)}" for name, inner in value.items())
    return ", ".join(map(cell, value)) if isinstance(value, list | tuple | set | frozenset) else str(value)


def say(words: str) -> None:
    """A note for a person, beside what is found."""
    notes.print(words, highlight=False, markup=False)
