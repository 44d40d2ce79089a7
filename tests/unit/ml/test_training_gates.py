"""Rules: each gate of the contract refuses on its own, at its limit, and also when its value cannot be computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from applications.ml.training.evaluation import Evaluation, Measured, Subgroup
from applications.ml.training.gates import Gate, champion_unusable, on_champion, on_data, refused

GOOD = Measured(rows=5000, positives=250, pr_auc=0.30, auroc=0.85, brier=0.04, ece=0.01, recall_at_precision_30=0.4,
                precision=0.3, recall=0.4, alerts=0.05)
NONE = Measured(200, 0, None, None, None, None, None, None, None, None)


def evaluation(measured: Measured = GOOD, **groups: float | None) -> Evaluation:
    """Groups are named `attribute__group`; None is one that is not judged."""
    found = {"sex__female": 0.85, "sex__male": 0.84, "trial_arm__control": 0.86, "trial_arm__treatment": 0.85, **groups}
    subgroups = tuple(Subgroup(*name.split("__"), auroc is not None, replace(GOOD, auroc=0.2 if auroc is None else auroc))
                      for name, auroc in found.items())
    return Evaluation(measured, subgroups, np.array([0, 1]), np.array([0.1, 0.9]))


def gate(gates: list[Gate], name: str) -> Gate:
    return next(found for found in gates if found.name == name)


def test_a_good_model_passes_and_every_gate_says_what_it_saw() -> None:
    gates = on_data(evaluation())
    assert refused(gates) == []
    assert [(found.name, found.limit) for found in gates] == [
        ("auroc", 0.75), ("ece", 0.05), ("sex_auroc_gap", 0.10), ("trial_arm_auroc_gap", 0.10)]
    assert [found.value for found in gates] == pytest.approx([0.85, 0.01, 0.01, 0.01])


@pytest.mark.parametrize(("figures", "passes"), [
    ({"auroc": 0.75}, True), ({"auroc": 0.7499}, False), ({"auroc": None}, False), ({"auroc": float("nan")}, False),
    ({"ece": 0.05}, True), ({"ece": 0.0501}, False), ({"ece": None}, False), ({"ece": float("nan")}, False)])
def test_a_figure_beyond_its_limit_refuses(figures: dict[str, float | None], passes: bool) -> None:
    gates = on_data(evaluation(replace(GOOD, **figures)))  # type: ignore[arg-type]
    assert refused(gates) == ([] if passes else list(figures))


@pytest.mark.parametrize(("attribute", "groups"), [
    ("sex", {"sex__male": 0.745}), ("trial_arm", {"trial_arm__control": 0.97}), ("sex", {"sex__other": 0.70})])
def test_a_subgroup_that_is_served_worse_refuses(attribute: str, groups: dict[str, float]) -> None:
    assert refused(on_data(evaluation(**groups))) == [f"{attribute}_auroc_gap"]


def test_a_small_subgroup_is_not_judged() -> None:
    assert refused(on_data(evaluation(sex__other=None))) == []


def test_a_gap_that_cannot_be_computed_refuses() -> None:
    gates = on_data(evaluation(sex__male=None))
    assert refused(gates) == ["sex_auroc_gap"]
    found = gate(gates, "sex_auroc_gap")
    assert (found.value, found.note) == (None, "it cannot be computed: too few rows of either label")


def test_rows_of_one_label_refuse_everything() -> None:
    assert set(refused(on_data(evaluation(NONE)))) == {"auroc", "ece"}
    assert not on_champion(evaluation(NONE), None).passed


def test_the_first_champion_has_nobody_to_beat() -> None:
    found = on_champion(evaluation(), None)
    assert (found.passed, found.value, found.limit, found.note) == (True, 0.30, None, "there is no champion yet")


@pytest.mark.parametrize(("champion", "passes"), [(0.29, True), (0.30, False), (0.31, False), (None, False)])
def test_only_a_better_model_replaces_the_champion(champion: float | None, passes: bool) -> None:
    found = on_champion(evaluation(), evaluation(replace(GOOD, pr_auc=champion)))
    assert (found.passed, found.limit) == (passes, champion)


def test_a_champion_that_cannot_be_evaluated_refuses_and_says_the_way_out() -> None:
    found = champion_unusable(evaluation(), "its file is damaged")
    assert not found.passed
    assert "its file is damaged" in found.note and "promoted by the job `promote`" in found.note
