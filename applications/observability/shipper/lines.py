"""A line of a container's log as a document of the log store: the services' own JSON lines, and what other software prints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from applications.monitoring.logs import index_of
from applications.observability.shipper.redaction import redact, redact_field

MOST_OF_MESSAGE, MOST_OF_FIELD, MOST_FIELDS = 16_384, 4_096, 64
"""Characters that are kept, and fields of one line."""
LEVELS: Mapping[str, str] = {
    "trace": "debug", "debug": "debug", "info": "info", "notice": "info", "log": "info", "warn": "warning", "warning": "warning",
    "error": "error", "err": "error", "severe": "error", "critical": "critical", "fatal": "critical", "panic": "critical"}
_TRACES = ("trace", "trace_id", "traceId", "request_id", "correlation_id")
_LEVELS, _TEXTS, _TIMES = ("level", "severity", "log.level"), ("event", "message", "msg"), ("time", "timestamp", "@timestamp", "ts")
_EVENT = re.compile(r"[a-z0-9][a-z0-9_.-]{0,79}")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# As most software writes it, in capitals, in brackets, or as logfmt; and where there is no such word.
_LEVEL_WORD = re.compile(r"\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|CRITICAL|FATAL|PANIC|LOG(?=:))\b"
                         r"|\[(debug|info|notice|warning|error|critical)\]|\blevel=\"?(debug|info|warn|error|fatal)\b")
_FAILURE = re.compile(r"Traceback \(most recent call last\)|^Exception in thread |^Caused by: ")
_REDIS_WARNING = re.compile(r"\d+:[XCSM] .{10,30} # ")
_WHERE_LEVELS_STAND = 160


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Whose lines these are: the container, and what its labels say."""

    container: str
    stack: str
    layer: str
    service: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line that a container printed, and where it stands: `place` is the same whenever the line is read again."""

    origin: Origin
    place: str
    time: str
    """RFC 3339 with nanoseconds, by Docker; empty when a crash tore the very first line."""
    stream: str
    text: str


def document(entry: Entry) -> dict[str, Any]:
    """What the log store keeps of a line. Nothing in it says a secret or who a patient is."""
    text = _COLOURS.sub("", entry.text.rstrip("\r\n"))
    try:
        told = _parsed(text)
        found = _of_text(text) if told is None else _of_json(told)
    except orjson.JSONEncodeError:  # nested deeper than can be written down again: no line may hold the others up
        found = _of_text(text)
    origin = entry.origin
    return {"@timestamp": entry.time or datetime.now(UTC).isoformat(), "stack": origin.stack, "layer": origin.layer,
            "service": origin.service, "container": origin.container[:12], "stream": entry.stream, **found}


def index(entry: Entry) -> str:
    """The index of a line: that of the day at which it was printed, so that it is the same at another try."""
    day = datetime.fromisoformat(entry.time) if entry.time else datetime.now(UTC)
    return index_of(entry.origin.stack, day.date())


def _parsed(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _of_text(text: str) -> dict[str, Any]:
    return {"level": _guessed(text), "message": redact(text[:MOST_OF_MESSAGE])}


def _guessed(text: str) -> str:
    head = text[:_WHERE_LEVELS_STAND]
    if found := _LEVEL_WORD.search(head):
        return LEVELS[str(found[found.lastindex or 0]).lower()]
    if _FAILURE.search(head):
        return "error"
    return "warning" if _REDIS_WARNING.match(head) else "info"


def _of_json(told: dict[str, Any]) -> dict[str, Any]:
    level = _taken(told, _LEVELS)
    words, trace = _taken(told, _TEXTS), _taken(told, _TRACES)
    for name in (*_TIMES, "service", "layer"):
        told.pop(name, None)
    fields = {redact(name[:MOST_OF_FIELD]): redact_field(name, _text(value)[:MOST_OF_FIELD])
              for name, value in list(told.items())[:MOST_FIELDS]}
    words = redact(words[:MOST_OF_MESSAGE])
    message = " ".join([words, *(f"{name}={value}" for name, value in fields.items())])[:MOST_OF_MESSAGE]
    found: dict[str, Any] = {"level": LEVELS.get(level.lower(), "info"), "message": message, "fields": fields}
    if _EVENT.fullmatch(words):
        found["event"] = words
    if trace:
        found["trace"] = redact(trace[:256])
    return found


def _taken(told: dict[str, Any], names: tuple[str, ...]) -> str:
    """The first of these fields that there is, which is then no field any more; empty without any."""
    name = next((name for name in names if name in told), None)
    return "" if name is None else _text(told.pop(name))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
