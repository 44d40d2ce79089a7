"""`python -m operations.pr [scan|plan BASE|images]`: the steps of a pull request that are no tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

import toolchain
from components.context import IMAGES_FOLDER
from operations.faults import OperationError
from operations.images import ImageError, ensure_built
from operations.pr.plans import STACKS, changes, plan, tree_of
from operations.pr.scans import SCANS, Unasked
from operations.pr.texts import comment

LOGS = Path(__file__).parents[2] / ".logs"
COMMENT = LOGS / "plan.md"


def scan(console: Console) -> None:
    """Runs every scan. Raises OperationError with what they found; in CI, where nobody reads on, also if one could not look."""
    found = []
    for name, check in SCANS.items():
        try:
            with console.status(name):
                fault = check()
        except Unasked as error:
            console.print(f"{name}: NOT LOOKED FOR: {error}", highlight=False, markup=False)
            found += [f"{name}: not looked for"] if os.environ.get("CI") else []
            continue
        console.print(f"{name}: {'nothing found' if fault is None else 'see below'}", highlight=False)
        found += [f"{name}:\n{fault}"] if fault is not None else []
    if found:
        raise OperationError("\n\n".join(found))


def plans(console: Console, base: str) -> None:
    """Previews every stack with the policies, and writes what differs from the code of `base` to .logs/plan.md."""
    found = {}
    with tree_of(base) as before:
        for stack in STACKS:
            with console.status(f"previewing {stack}"):
                found[stack] = changes(plan(before, stack, policies=False), plan(LOGS.parent, stack, policies=True))
    LOGS.mkdir(exist_ok=True)
    COMMENT.write_text(comment(base, found))
    console.print(f"the policies hold; changes by stack: { {stack: len(rows) for stack, rows in found.items()} }; {COMMENT}",
                  highlight=False)


def images(console: Console) -> None:
    """Builds every image whose content has no image yet."""
    for dockerfile in sorted(IMAGES_FOLDER.glob("*/Dockerfile")):
        console.print(ensure_built(dockerfile.parent.name, console), highlight=False)


def main(arguments: list[str]) -> int:
    """The exit status: 0, 1 after a message, 2 for wrong usage."""
    console = Console(stderr=True, soft_wrap=True)
    try:
        match arguments:
            case ["scan"]:
                scan(console)
            case ["plan", base]:
                plans(console, base)
            case ["images"]:
                images(console)
            case _:
                console.print(__doc__, markup=False)
                return 2
    except (OperationError, ImageError, toolchain.ToolchainError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        return 1
    return 0


if __name__ == "__main__":
    os.chdir(LOGS.parent)
    sys.exit(main(sys.argv[1:]))
