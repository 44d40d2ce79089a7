"""Reports: pages for people, and small JSON documents that metrics are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from applications.monitoring.findings import Status
from applications.monitoring.lake import LakeAccess

BUCKET, FOLDER = "gold", "reports"
TEMPLATE = Path(__file__).with_name("page.html.j2")


@dataclass(frozen=True)
class Bar:
    """A share from 0 to 1, drawn as a bar."""

    share: float


@dataclass(frozen=True)
class Link:
    """Words that lead to an address of the same server."""

    words: str
    address: str


@dataclass(frozen=True)
class Table:
    """A table of a page: its columns, and rows of texts, numbers, moments, None (shown as a dash), Bar, Link, or Status (shown as a
    badge). With `folded`, a few words, it is closed until somebody opens it by them.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    folded: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a page: a title, a sentence, tables."""

    title: str
    text: str = ""
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Page:
    """A report for people. `facts` are label and value pairs at its top, `lead` is the sentence that says it all."""

    title: str
    lead: str
    status: Status
    made: datetime
    facts: Mapping[str, object] = field(default_factory=dict)
    sections: Sequence[Section] = ()


def render(page: Page) -> str:
    """The page as HTML that needs nothing else: no script, no font, no picture from elsewhere. Texts are escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(page=page, badge=_badge, cell=_cell, is_number=_is_number)


def metric(name: str, value: float, **labels: str) -> dict[str, Any]:
    """One metric of a document: `name` as Prometheus has names, complete with its unit."""
    return {"name": name, "labels": labels, "value": value}


def publish(lake: LakeAccess, kind: str, run_time: datetime, html: str, document: Mapping[str, Any]) -> str:
    """Stores `gold/reports/<kind>/<run_time>.html`, the same name with `.json`, and, unless a newer one stands there,
    `latest.json`. `document` has `status` (a Status) and `metrics` (list of `metric`), and anything else of its own. Returns the
    page's key. A repeat for the same time takes the place of the first. Raises LakeError.
    """
    time = run_time.astimezone(UTC)
    name = f"{FOLDER}/{kind}/{time:%Y-%m-%dT%H%M%SZ}"
    content = json.dumps({**document, "kind": kind, "time": time.isoformat(timespec="seconds"), "page": f"{name}.html"},
                         default=str).encode()
    lake.put(BUCKET, f"{name}.html", html.encode(), "text/html; charset=utf-8")
    lake.put(BUCKET, f"{name}.json", content)
    newest = latest(lake, kind)
    # A run of the past that is repeated must not become the newest word.
    if newest is None or datetime.fromisoformat(str(newest["time"])) <= time:
        lake.put(BUCKET, f"{FOLDER}/{kind}/latest.json", content)
    return f"{name}.html"


def latest(lake: LakeAccess, kind: str) -> Mapping[str, Any] | None:
    """The newest document of a kind; None while there is none. Raises LakeError."""
    return lake.get_json(BUCKET, f"{FOLDER}/{kind}/latest.json")


def kinds(lake: LakeAccess) -> list[str]:
    """The kinds that a report was published of. Raises LakeError."""
    return lake.folders(BUCKET, f"{FOLDER}/")


def _badge(status: object) -> Markup:
    return Markup('<span class="badge {0}">{0}</span>').format(status)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str | Markup:
    match value:
        case Status():
            return _badge(value)
        case Bar(share=share):
            return Markup('<span class="bar"><i style="width:{:.1f}%"></i></span>').format(100 * min(1.0, max(0.0, share)))
        case Link(words=words, address=address):
            return Markup('<a href="{}">{}</a>').format(address, words)
        case None:
            return "\N{EN DASH}"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
        case int():
            return f"{value:,}"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        case _:
            return str(value)
