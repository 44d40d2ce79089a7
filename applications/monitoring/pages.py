"""The pages and metrics that are made of checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from applications.monitoring.findings import Check, Report, Status
from applications.monitoring.reports import Bar, Page, Section, Table, metric
from applications.monitoring.results import themes

STATUS_NUMBERS: Mapping[Status, int] = {Status.SKIPPED: -1, Status.OK: 0, Status.WARNING: 1, Status.FAILURE: 2}
COLUMNS = ("Status", "Table", "Check", "Of", "Value", "Limit", "What was found")
WORST_FIRST = (Status.FAILURE, Status.WARNING, Status.OK, Status.SKIPPED)
DRIFT_COLUMNS = ("Status", "Feature", "PSI", "", "KS", "Change of nulls")
PSI_FULL = 0.5
"""A stability index that fills a bar."""


def page(title: str, report: Report, made: datetime, texts: Mapping[str, str], facts: Mapping[str, object] | None = None) -> Page:
    """A page of a report: what asks for attention at the top, then a section a theme. `texts` says of each theme what it is."""
    # Single features have a table of their own, in which the worst stand first.
    bad = [check for check in report.checks if check.status in (Status.FAILURE, Status.WARNING)
           and not (check.theme == "drift" and check.part)]
    counted = {str(status): sum(1 for _ in report.of(status)) for status in WORST_FIRST}
    sections = [Section("What asks for attention", "", [checks_table(bad)])] if bad else []
    for theme, checks in themes(report.checks).items():
        tables = [drift_table(checks)] if theme == "drift" else [checks_table(checks, f"{len(checks)} checks")]
        sections.append(Section(theme.capitalize(), texts.get(theme, ""), tables))
    return Page(title, lead(report), report.status, made,
                {"From": report.begin, "To": report.end, **(facts or {}),
                 **{f"Checks: {name}": number for name, number in counted.items()}}, sections)


def lead(report: Report) -> str:
    """One sentence on how a report ended."""
    number = {status: sum(1 for _ in report.of(status)) for status in Status}
    total = len(report.checks)
    match report.status:
        case Status.FAILURE:
            return f"Somebody must act: of {total} checks, failed: {number[Status.FAILURE]}, to look at: {number[Status.WARNING]}."
        case Status.WARNING:
            return f"None of {total} checks failed; to look at: {number[Status.WARNING]}."
        case Status.OK:
            return f"Every check that could be judged is as it should be ({number[Status.OK]} of {total})."
        case _:
            return "Nothing could be judged."


def checks_table(checks: Sequence[Check], folded: str = "") -> Table:
    """Checks as rows, the worst first."""
    ordered = sorted(checks, key=lambda check: WORST_FIRST.index(check.status))
    return Table(COLUMNS, [(check.status, check.table, check.name, check.part or None, check.value, check.limit, check.what)
                           for check in ordered], folded)


def drift_table(checks: Sequence[Check]) -> Table:
    """Features as rows, those that drifted most first."""
    found: dict[str, dict[str, Check]] = {}
    for check in checks:
        if check.part:
            found.setdefault(check.part, {})[check.name] = check
    ordered = sorted(found.items(), key=lambda item: -(_value(item[1], "psi") or 0.0))
    return Table(DRIFT_COLUMNS, [(max((check.status for check in of.values()), key=lambda status: STATUS_NUMBERS[status]), feature,
                                  *_values(of)) for feature, of in ordered])


def _values(of: Mapping[str, Check]) -> tuple[float | None, Bar | None, float | None, float | None]:
    psi = _value(of, "psi")
    return psi, None if psi is None else Bar(psi / PSI_FULL), _value(of, "ks"), _value(of, "null-share-change")


def _value(of: Mapping[str, Check], name: str) -> float | None:
    return of[name].value if name in of else None


def metrics(prefix: str, report: Report) -> list[dict[str, Any]]:
    """A report as metrics: numbers of checks by status, and of each check its status (-1 skipped, 0 ok, 1 warning, 2 failure)
    and value."""
    return [*_counts(prefix, report), *(found for check in report.checks for found in _of_check(prefix, check))]


def _counts(prefix: str, report: Report) -> Iterator[dict[str, Any]]:
    yield metric(f"{prefix}_status", STATUS_NUMBERS[report.status])
    for status in Status:
        yield metric(f"{prefix}_checks", sum(1 for _ in report.of(status)), status=str(status))


def _of_check(prefix: str, check: Check) -> Iterator[dict[str, Any]]:
    labels = {"theme": check.theme, "check": check.name, "table": check.table, "part": check.part}
    yield metric(f"{prefix}_check_status", STATUS_NUMBERS[check.status], **labels)
    if check.value is not None:
        yield metric(f"{prefix}_check_value", check.value, **labels)
