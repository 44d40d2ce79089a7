"""What a model must show before it may serve. A gate whose value cannot be computed refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from applications.ml.training.evaluation import SUBGROUPS, Evaluation

LEAST_AUROC, MOST_ECE, MOST_GAP = 0.75, 0.05, 0.10
BEATS_CHAMPION = "pr_auc_above_champion"


@dataclass(frozen=True)
class Gate:
    """One condition: what was measured, the limit, and whether it holds. `note` says why a value is missing."""

    name: str
    value: float | None
    limit: float | None
    passed: bool
    note: str = ""


def on_data(found: Evaluation, most_gap: float = MOST_GAP) -> list[Gate]:
    """The gates that a version must pass to be registered; `most_gap` between the AUROC of subgroups."""
    measured = found.measured
    gates = [_judged("auroc", measured.auroc, LEAST_AUROC, least=True), _judged("ece", measured.ece, MOST_ECE, least=False)]
    return gates + [_judged(f"{attribute}_auroc_gap", found.gap(attribute), most_gap, least=False) for attribute in SUBGROUPS]


def on_champion(found: Evaluation, champion: Evaluation | None) -> Gate:
    """The gate between registered and champion: a better PR-AUC than the champion's on the same rows. Without one it holds."""
    own = found.measured.pr_auc
    if champion is None:
        return Gate(BEATS_CHAMPION, own, None, own is not None, "there is no champion yet")
    limit = champion.measured.pr_auc
    return Gate(BEATS_CHAMPION, own, limit, own is not None and limit is not None and own > limit)


def champion_unusable(found: Evaluation, reason: str) -> Gate:
    """The same gate when the champion cannot be evaluated: it refuses, and a person decides."""
    return Gate(BEATS_CHAMPION, found.measured.pr_auc, None, False,
                f"the champion cannot be evaluated: {reason}. A registered version can be promoted by the job `promote`")


def refused(gates: Sequence[Gate]) -> list[str]:
    """The names of the gates that do not hold."""
    return [gate.name for gate in gates if not gate.passed]


def _judged(name: str, value: float | None, limit: float, *, least: bool) -> Gate:
    if value is None:
        return Gate(name, None, limit, False, "it cannot be computed: too few rows of either label")
    return Gate(name, value, limit, value >= limit if least else value <= limit)
