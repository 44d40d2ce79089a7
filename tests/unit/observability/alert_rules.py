"""The alert rules as tests read them: each rule, the metrics that its expression asks for, and what the platform offers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

TREE = Path(__file__).parents[3]
RULES = TREE / "components" / "observability" / "files" / "rules"
CASES = TREE / "tests" / "observability_rules"
GROUPS = sorted(path.name for path in RULES.glob("*.yml"))
WORDS = {"and", "or", "unless", "by", "on", "without", "ignoring", "group_left", "group_right", "bool", "offset"}
LABEL_LISTS = r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)"
FOREIGN = re.compile(r"(pg|redis|elasticsearch|node|minio|rabbitmq|prometheus|alertmanager|metrics_master)_\w+"
                     r"|up|ALERTS|process_start_time_seconds")
"""What other people's software offers; the tests with everything up see whether it does."""
REPORTS = ("data_quality", "model")
"""The prefixes of the metrics of reports (applications/monitoring/pages.py)."""


def rules() -> Iterator[dict[str, Any]]:
    """Every rule of every group."""
    for name in GROUPS:
        for group in yaml.safe_load((RULES / name).read_text())["groups"]:
            yield from group["rules"]


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def metrics_of(expression: str) -> set[str]:
    """The names of the metrics in an expression of PromQL."""
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]', " ", expression)
    bare = re.sub(LABEL_LISTS, " ", re.sub(r"\{[^}]*\}", " ", bare))
    return {name for name in re.findall(r"(?<![\w.:])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])", bare) if name not in WORDS}


def asked() -> set[str]:
    """The metrics that the rules ask for, without those that rules make themselves."""
    made = {rule["record"] for rule in rules() if "record" in rule}
    return {name for rule in rules() for name in metrics_of(rule["expr"])} - made


def offered() -> set[str]:
    """The metrics that our own code defines."""
    text = "\n".join(path.read_text() for path in (TREE / "applications").rglob("*.py"))
    found = {f"{prefix}_{what}" for prefix in REPORTS for what in ("status", "checks")}
    for kind, name in re.findall(r'\b(Counter|Gauge|Histogram)\(\s*"(\w+)"', text):
        found |= {f"{name}_total"} if kind == "Counter" else {name, f"{name}_bucket", f"{name}_count", f"{name}_sum"}
    sampled = re.findall(r'\b(?:metric|Sample)\(\s*"(\w+)"', text)
    return found | {*sampled, *re.findall(r'^    "(\w+)": \(', text, re.MULTILINE)}


def names_in(group: str) -> list[str]:
    """The alerts of a file, in order."""
    return re.findall(r"alert: (\w+)", (RULES / group).read_text())


def cases(group: str) -> list[dict[str, Any]]:
    """The promtool tests of a file of rules."""
    return list(yaml.safe_load((CASES / group).read_text())["tests"])
