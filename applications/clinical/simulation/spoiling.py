"""How single events are changed by faults: other units, wrong units, broken bytes. Nothing here changes what it is given."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from applications.clinical.simulation.events import Envelope
from applications.clinical.terminology import BY_CODE, Alternate, Analyte

SIGNIFICANT_DIGITS = 6
LEAST_LEFT = 60
"""Bytes of a truncated event: its event_id can still be seen in them."""


def alternate(event: Envelope, draw: random.Random) -> Envelope | None:
    """The same results in another accepted unit, under the code that goes with it; None where the event has no such result."""
    return _changed(event, lambda analyte: draw.choice(analyte.also) if analyte.also else None)


def wrong(event: Envelope, draw: random.Random) -> Envelope | None:
    """The results in a unit that their code does not allow: for a mass code the molar unit, as laboratories mix them up,
    for others the unit of another quantity. None where the event has no result."""
    return _changed(event, lambda analyte: _swapped(analyte, draw))


def _swapped(analyte: Analyte, draw: random.Random) -> Alternate:
    molar = [other for other in analyte.also if other.code != analyte.code]
    if molar:
        return Alternate(molar[0].unit, analyte.code, molar[0].factor, molar[0].offset)
    return Alternate(draw.choice(("mg/L", "nmol/L", "kat")), analyte.code, 1)


def _changed(event: Envelope, choose: Callable[[Analyte], Alternate | None]) -> Envelope | None:
    payload = event["payload"]
    results: list[dict[str, Any]] = payload.get("measurements", [payload] if "code" in payload else [])
    choices = [choose(BY_CODE[result["code"]]) for result in results]
    if not any(choices):
        return None
    changed = [{**result, "code": unit.code, "unit": unit.unit, "value": _in(unit, result["value"])} if unit else result
               for result, unit in zip(results, choices, strict=True)]
    return {**event, "payload": {**payload, "measurements": changed} if "measurements" in payload else changed[0]}


def _in(unit: Alternate, canonical: float) -> float:
    return float(f"{canonical / unit.factor + unit.offset:.{SIGNIFICANT_DIGITS}g}")


def _truncated(event: Envelope, draw: random.Random) -> bytes:
    raw = orjson.dumps(event)
    return raw[:draw.randrange(LEAST_LEFT, len(raw))]


def _bad_utf8(event: Envelope, _: random.Random) -> bytes:
    # ISO 8859-1 where UTF-8 is promised.
    return orjson.dumps({**event, "source": "Ger?t"}).replace(b"Ger?t", "Gerät".encode("latin-1"))


def _missing(event: Envelope, draw: random.Random) -> bytes:
    gone = draw.choice(("event_id", "schema_version", "event_type", "patient_id", "event_time", "payload"))
    return orjson.dumps({field: value for field, value in event.items() if field != gone})


def _wrong_type(event: Envelope, draw: random.Random) -> bytes:
    field, value = draw.choice((("event_time", 1700000000), ("payload", "none"), ("patient_id", 42), ("event_id", True)))
    return orjson.dumps({**event, field: value})


def _unknown_version(event: Envelope, _: random.Random) -> bytes:
    return orjson.dumps({**event, "schema_version": "9.0.0"})


MALFORMED: Mapping[str, Callable[[Envelope, random.Random], bytes]] = {
    "truncated": _truncated, "bad-utf8": _bad_utf8, "missing-field": _missing, "wrong-type": _wrong_type,
    "unknown-version": _unknown_version}
"""The ways to be malformed."""
UNREADABLE = frozenset(("truncated", "bad-utf8"))
"""Those that are not even JSON in UTF-8."""
