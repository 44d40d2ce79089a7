"""The comment of a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from operations.pr.plans import Change

MOST_ROWS = 150
"""Of a stack; a comment may be no longer than GitHub's 65,536 characters."""
WORDS = {"+": "new", "-": "gone", "~": "different"}


def comment(base: str, found: Mapping[str, Sequence[Change]]) -> str:
    """What changes in each stack, in Markdown."""
    parts = [f"Previewed with every policy, compared with `{base}`. Containers of an image that is different are replaced, "
             "too: the image's identity is known once it is built."]
    for stack, changes in found.items():
        counts = ", ".join(f"{sum(change.kind == kind for change in changes)} {word}" for kind, word in WORDS.items())
        parts += ["", f"### {stack}: {counts if changes else 'no resource changes'}"]
        if changes:
            parts += ["", "| | resource | inputs |", "| --- | --- | --- |", *map(row, changes[:MOST_ROWS])]
        if len(changes) > MOST_ROWS:
            parts += ["", f"… and {len(changes) - MOST_ROWS} more; `make plan` shows all of them."]
    return "\n".join(parts) + "\n"


def row(change: Change) -> str:
    """One line of the table."""
    return f"| {change.kind} | `{change.resource}` | {', '.join(change.keys)} |"
