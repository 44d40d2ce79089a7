"""Pictures of the DAGs, drawn from themselves; `python -m tests.dags.diagram`, with Airflow's Python, writes docs/dags.md."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "applications" / "orchestration" / "dags"
PAGE = ROOT / "docs" / "dags.md"
HEAD = """# The DAGs

One picture a DAG, drawn from the code: a test compares them. Rounded: a job of an endpoint, waited for without a process. A
rhombus chooses the way. A double frame: once for each of several parts. Dotted: it follows even when what is before it was skipped
or did not succeed, as its trigger rule says. What each does, its parameters, and what to do when it fails:
[orchestration](orchestration.md).
"""


def dags_of(files: Iterable[Path]) -> dict[str, Any]:
    """The DAGs of some files by their ids, as Airflow reads them. Raises AssertionError with the error of a file."""
    from airflow.dag_processing.dagbag import DagBag
    found: dict[str, Any] = {}
    for path in files:
        bag = DagBag(dag_folder=str(path))
        assert not bag.import_errors, bag.import_errors
        found.update(bag.dags)
    return found


def flowchart(dag: Any) -> str:
    """One DAG as a flowchart in Mermaid's language; tasks in the order in which the file makes them."""
    lines = ["```mermaid", "flowchart LR", *(f"    {_node(task)}" for task in dag.tasks)]
    for task in dag.tasks:
        for name in sorted(task.downstream_task_ids):
            arrow = "-->" if dag.get_task(name).trigger_rule == "all_success" else "-.->"
            lines.append(f"    {task.task_id} {arrow} {name}")
    return "\n".join([*lines, "```"])


def page(dags: dict[str, Any]) -> str:
    """The whole page."""
    parts = [f"## {name}\n\n{dags[name].description}.\n\n{flowchart(dags[name])}\n" for name in sorted(dags)]
    return "\n".join([HEAD, *parts])


def _node(task: Any) -> str:
    name = task.task_id
    kinds = [kind.__name__ for kind in getattr(task, "operator_class", type(task)).__mro__]
    if "JobOperator" in kinds:
        shape = f"([{name}])"
    elif any("Branch" in kind for kind in kinds):
        shape = f"{{{name}}}"
    else:
        shape = f"[{name}]"
    return f"{name}[[{name}]]" if type(task).__name__ == "MappedOperator" else f"{name}{shape}"


if __name__ == "__main__":
    PAGE.write_text(page(dags_of(sorted(path for path in FOLDER.glob("*.py") if path.name != "__init__.py"))), encoding="utf-8")
    sys.exit(0)
