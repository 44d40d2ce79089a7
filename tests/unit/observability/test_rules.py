"""The alert rules: each is explained, tested, and asks only for metrics that somebody offers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.unit.observability.alert_rules import FOREIGN, GROUPS, TREE, alerts, asked, cases, metrics_of, names_in, offered

ALERTS = alerts()
RUNBOOK = (TREE / "docs" / "runbook.md").read_text()
ENTRIES = re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE)


def test_every_alert_has_an_entry_in_the_runbook_and_every_entry_an_alert() -> None:
    assert sorted(ENTRIES) == sorted(ALERTS)


def test_links_within_the_runbook_lead_somewhere() -> None:
    assert set(re.findall(r"\]\(#([\w-]+)\)", RUNBOOK)) <= {entry.lower() for entry in ENTRIES}


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_says_what_where_and_what_to_do(name: str) -> None:
    """Its severity is one that Alertmanager and the control room know; the link is that of its own entry."""
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    notes = rule["annotations"]
    assert notes["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    assert notes["summary"] and notes["description"].endswith(".") and len(notes["description"]) > len(notes["summary"])


def test_the_names_of_alerts_are_their_own() -> None:
    names = [name for group in GROUPS for name in names_in(group)]
    assert len(names) == len(set(names)) == len(ALERTS)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_the_words_of_an_alert_name_only_labels_that_it_has(name: str) -> None:
    """An aggregation drops every other label, and the text would have a hole."""
    rule = ALERTS[name]
    aggregated = re.match(r"(?:sum|min|max|count) by \(([^)]*)\)", rule["expr"])
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    if aggregated:
        assert named <= {label.strip() for label in aggregated[1].split(",")}
    elif rule["expr"].lstrip().startswith(("sum(", "absent(")):
        assert not named


def test_rules_ask_only_for_metrics_that_are_offered() -> None:
    """Rules on metrics that nothing emits never fire, and nobody notices."""
    own = {name for name in asked() if not FOREIGN.fullmatch(name)}
    assert len(own) > 30
    assert own - offered() == set()


@pytest.mark.parametrize(("expression", "found"), [
    ('sum by (a, b) (rate(x_total{c="d_e"}[5m])) > 2e3', {"x_total"}),
    ("x and on (topic) group_left y:z unless absent(w)", {"x", "y:z", "w"}),
    ('time() - clamp_min(a_seconds, scalar(b{s="t"})) > 7200', {"a_seconds", "b"}),
])
def test_the_metrics_of_an_expression_are_found(expression: str, found: set[str]) -> None:
    assert metrics_of(expression) == found


@pytest.mark.parametrize("group", GROUPS)
def test_every_alert_is_seen_to_fire_and_seen_to_be_quiet(group: str) -> None:
    """By promtool (tests/images/test_prometheus_image.py); here, that no alert was forgotten."""
    loud, quiet = set(), set()
    for case in cases(group):
        for test in case["promql_expr_test"]:
            (loud if test["exp_samples"] else quiet).add(alert_of(test))
    assert loud == quiet == set(names_in(group))


def alert_of(test: dict[str, Any]) -> str:
    """The alert that a test of promtool looks for."""
    found = re.search(r'alertname="(\w+)"', test["expr"])
    assert found
    return found[1]
