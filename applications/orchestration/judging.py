"""What becomes of a trained version: promoted or not, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """Whether a version is to be champion, with the reason in words. `version` is None when it was not even registered."""

    promote: bool
    version: int | None
    why: str


def judged(result: Mapping[str, Any], wanted: bool) -> Verdict:
    """The verdict on the result of the job `train`; `wanted` is what the run's parameter `promote` says."""
    version, refused = result["version"], list(result["refused"])
    if version is None:
        return Verdict(False, None, f"the model is not registered: it does not pass {', '.join(refused)}")
    if refused:
        return Verdict(False, version, f"version {version} is registered and not promoted: it does not pass {', '.join(refused)}")
    if not wanted:
        return Verdict(False, version, f"version {version} passes every gate, and the run was asked not to promote (promote=false)")
    return Verdict(True, version, f"version {version} passes every gate")


def table(gates: Sequence[Mapping[str, Any]]) -> str:
    """The gates as a table of text: name, value, limit, whether it holds, and why where that is known."""
    rows = [("gate", "value", "limit", "holds", "note")]
    rows += [(str(gate["name"]), _number(gate["value"]), _number(gate["limit"]), "yes" if gate["passed"] else "NO",
              str(gate.get("note", ""))) for gate in gates]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}"
