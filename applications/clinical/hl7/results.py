"""From the results of an ORU^R01 to measurements: OBX by OBX, with every fault of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from math import isfinite

from applications.clinical.hl7.message import Segment
from applications.clinical.hl7.times import WrongTime, moment
from applications.clinical.reasons import Reason, ReasonCode
from applications.clinical.terminology import BY_CODE, Kind

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_FINAL = ("F", "C")
SEXES: Mapping[str, str] = {"F": "female", "M": "male", "O": "other", "A": "other", "U": "unknown", "N": "unknown"}
_URGENT = ("S", "A")


class Faults:
    """The faults of one message, one a place."""

    def __init__(self) -> None:
        self._by_place: dict[str, Reason] = {}

    @property
    def reasons(self) -> list[Reason]:
        """All of them, in the order in which they were found."""
        return list(self._by_place.values())

    def add(self, code: ReasonCode, field: str, message: str) -> None:
        """Notes a fault, unless there is one at this place."""
        self._by_place.setdefault(field, Reason(code, field, message))


@dataclass(frozen=True)
class Result:
    """One OBX: its segment, its place within its OBR (from 1), what was measured, and when."""

    segment: Segment
    place: int
    kind: Kind
    code: str
    value: float
    unit: str
    time: datetime


def result(obx: Segment, place: int, obr: Segment, zone: tzinfo | None, faults: Faults) -> Result | None:
    """The result of an OBX; None, with its faults noted, where it cannot be used."""
    if obx.text(2) != "NM":
        faults.add(ReasonCode.WRONG_TYPE if obx.text(2) else ReasonCode.MISSING_FIELD, obx.path(2),
                   "only results of the type NM are taken")
    if obx.text(11) not in _FINAL:
        faults.add(ReasonCode.INVALID_VALUE if obx.text(11) else ReasonCode.MISSING_FIELD, obx.path(11),
                   "only final (F) and corrected (C) results are taken")
    code, value, unit = _code(obx, faults), _value(obx, faults), _unit(obx, faults)
    segment, field = (obx, 14) if obx.text(14) else (obr, 7)
    time = read_time(segment, field, zone, faults, "needs the time of the measurement, in OBX-14 or here")
    if code is None or value is None or unit is None or time is None:
        return None
    return Result(obx, place, BY_CODE[code].kind, code, value, unit, time)


def read_time(segment: Segment, field: int, zone: tzinfo | None, faults: Faults, needed: str) -> datetime | None:
    """The time in a field; None, with the fault noted, where there is none."""
    text = segment.text(field)
    if not text:
        faults.add(ReasonCode.MISSING_FIELD, segment.path(field), needed)
        return None
    try:
        return moment(text, zone)
    except WrongTime as error:
        faults.add(ReasonCode.INVALID_VALUE, segment.path(field), str(error))
        return None


def sex(pid: Segment, faults: Faults) -> str | None:
    """PID-8 in FHIR's words."""
    found = pid.text(8)
    if found and found not in SEXES:
        faults.add(ReasonCode.INVALID_VALUE, pid.path(8), f"must be one of {', '.join(SEXES)}")
    return SEXES.get(found)


def priority(obr: Segment, timings: list[Segment]) -> str | None:
    """`stat` for what is wanted at once or as soon as possible (TQ1-9, OBR-27, OBR-5), `routine` for other words."""
    found = [word for word in (*(timing.text(9) for timing in timings), obr.text(27, 6), obr.text(5)) if word]
    if not found:
        return None
    return "stat" if any(word in _URGENT for word in found) else "routine"


def _code(obx: Segment, faults: Faults) -> str | None:
    codes = [code for code, system in _coded(obx, 3) if system == "LN"]
    known = next((code for code in codes if code in BY_CODE), None)
    if known is None and codes:
        faults.add(ReasonCode.UNKNOWN_CODE, obx.path(3), "no analyte of the contract has this LOINC code")
    elif known is None:
        faults.add(ReasonCode.MISSING_FIELD, obx.path(3), "needs a LOINC code: the third component must be LN")
    return known


def _value(obx: Segment, faults: Faults) -> float | None:
    found = obx.repetitions(5)
    text = found[0][0]
    if len(found) > 1 or len(found[0]) > 1:
        faults.add(ReasonCode.INVALID_VALUE, obx.path(5), "must be one number")
    elif not text:
        faults.add(ReasonCode.MISSING_FIELD, obx.path(5), "needs the value")
    elif not _NUMBER.fullmatch(text):
        faults.add(ReasonCode.WRONG_TYPE, obx.path(5), "must be a number: digits with a decimal point")
    elif not isfinite(float(text)):
        faults.add(ReasonCode.INVALID_VALUE, obx.path(5), "must be a finite number")
    else:
        return float(text)
    return None


def _unit(obx: Segment, faults: Faults) -> str | None:
    units = [unit for unit, system in _coded(obx, 6) if unit and system in ("UCUM", "")]
    if units:
        return units[0]
    faults.add(ReasonCode.INVALID_VALUE if obx.raw(6) else ReasonCode.MISSING_FIELD, obx.path(6),
               "needs the unit as a UCUM code: the third component must be UCUM or empty")
    return None


def _coded(segment: Segment, field: int) -> list[tuple[str, str]]:
    """Identifier and coding system of a coded field, and of its alternate."""
    found = []
    for number in (1, 4):
        if code := segment.text(field, number):
            found.append((code, segment.text(field, number + 2).upper()))
    return found
