"""The log store, OpenSearch: its index template, its retention, and questions to it.

An index holds the log lines of one stack and day (UTC), `logs-<stack>-<year>.<month>.<day>`; the log-shipper writes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx

SECONDS = httpx.Timeout(20, connect=5)
ERRORS = ("error", "critical")
NOT_FOUND = 404
KEYWORD = {"type": "keyword", "ignore_above": 256}
MAPPINGS: Mapping[str, Any] = {
    # Other names would each become a field of the index, without end: what a line has besides stands below `fields`.
    "dynamic": False,
    "properties": {
        "@timestamp": {"type": "date_nanos"},  # finer than a millisecond, or lines of a burst would lose their order
        **{name: KEYWORD for name in ("stack", "layer", "service", "container", "stream", "level", "event", "trace")},
        "message": {"type": "text"},
        "fields": {"type": "flat_object"},
    },
}
SETTINGS: Mapping[str, Any] = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "2s",
                               "codec": "best_compression"}


class LogStoreError(Exception):
    """OpenSearch does not answer as it should, in words for whoever runs the platform."""


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """A line of a service's log. `trace` ties the lines of one request together; `fields` is what the line says besides."""

    time: datetime
    layer: str
    service: str
    level: str
    event: str | None
    message: str
    trace: str | None
    fields: Mapping[str, str]


def index_of(stack: str, day: date) -> str:
    """The name of a day's index."""
    return f"{_prefix(stack)}-{day:%Y.%m.%d}"


def _prefix(stack: str) -> str:
    return f"logs-{stack.lower()}"  # the name of an index has small letters


def ensure_template(url: str, stack: str) -> None:
    """Says what the indices of a stack look like; the same again changes nothing. Raises LogStoreError."""
    body = {"index_patterns": [f"{_prefix(stack)}-*"], "priority": 100,
            "template": {"settings": {"index": SETTINGS}, "mappings": MAPPINGS}}
    _asked(url, "PUT", f"/_index_template/{_prefix(stack)}", body)


def prune(url: str, stack: str, days: int, today: date | None = None) -> list[str]:
    """Removes the indices of days that are more than `days` before today (UTC); their names. Raises LogStoreError."""
    oldest_kept = (today or datetime.now(UTC).date()) - timedelta(days=days)
    removed = [index_of(stack, day) for day in _days(url, stack) if day < oldest_kept]
    for name in removed:
        _asked(url, "DELETE", f"/{name}")
    return removed


def oldest_day(url: str, stack: str) -> date | None:
    """The day of the oldest index; None without any. Raises LogStoreError."""
    return min(_days(url, stack), default=None)


def newest(url: str, stack: str) -> datetime | None:
    """The time of the newest line; None without any. Raises LogStoreError."""
    found = search(url, stack, levels=(), size=1)
    return found[0].time if found else None


def search(url: str, stack: str, *, levels: Sequence[str] = ERRORS, service: str | None = None, layer: str | None = None,
           text: str | None = None, trace: str | None = None, since: datetime | None = None, size: int = 50) -> list[LogLine]:
    """The newest lines, newest first, of these levels (none given: of all) and all else that is asked. Raises LogStoreError."""
    terms = {"service": service, "layer": layer, "trace": trace}
    filters: list[dict[str, Any]] = [{"term": {name: value}} for name, value in terms.items() if value is not None]
    if levels:
        filters.append({"terms": {"level": list(levels)}})
    if since is not None:
        filters.append({"range": {"@timestamp": {"gte": since.isoformat()}}})
    if text:
        filters.append({"match": {"message": {"query": text, "operator": "and"}}})
    body = {"size": size, "query": {"bool": {"filter": filters}},
            "sort": [{"@timestamp": {"order": "desc", "unmapped_type": "date_nanos"}}]}
    found = _asked(url, "POST", f"/{_prefix(stack)}-*/_search", body)
    return [_line(hit["_source"]) for hit in found["hits"]["hits"]]


def _line(source: Mapping[str, Any]) -> LogLine:
    return LogLine(time=datetime.fromisoformat(source["@timestamp"]), layer=source["layer"], service=source["service"],
                   level=source["level"], event=source.get("event"), message=source["message"], trace=source.get("trace"),
                   fields=source.get("fields", {}))


def _days(url: str, stack: str) -> list[date]:
    """The days of which there is an index. A stack whose name begins with ours has other indices."""
    pattern = re.compile(rf"{re.escape(_prefix(stack))}-(\d{{4}}\.\d\d\.\d\d)")
    names = _asked(url, "GET", f"/_cat/indices/{_prefix(stack)}-*?format=json&h=index")
    found = [pattern.fullmatch(entry["index"]) for entry in names]
    return [datetime.strptime(match[1], "%Y.%m.%d").date() for match in found if match]


def _asked(url: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """What OpenSearch answers; an index that went meanwhile is none that is missed."""
    try:
        answer = httpx.request(method, f"{url}{path}", json=body, timeout=SECONDS)
        if method != "DELETE" or answer.status_code != NOT_FOUND:
            answer.raise_for_status()
        return answer.json()
    except httpx.HTTPStatusError as error:
        # The body tells the reason, and may quote log lines: it is left out.
        raise LogStoreError(f"OpenSearch at {url} answers {error.response.status_code} to {method} {path}") from None
    except (httpx.HTTPError, ValueError) as error:
        raise LogStoreError(f"OpenSearch at {url} does not answer: {type(error).__name__}. See "
                            "./pipeline observability health") from None
