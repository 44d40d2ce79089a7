"""What is measured: the analytes of the contract with their LOINC codes, UCUM units and ranges.

Reference ranges are those of an adult; the possible range is what a living body can show, beyond which a value is an
error of the device or of its entry. Critical limits are values at which a laboratory calls the ward at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """Where an analyte comes from."""

    VITAL = "vital"
    LAB = "lab"


class Sex(StrEnum):
    """Administrative sex, in FHIR's words."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Range:
    """A closed interval, in the canonical unit."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Alternate:
    """Another accepted unit under the code that goes with it: canonical = (value - offset) * factor."""

    unit: str
    code: str
    factor: float
    offset: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Analyte:
    """One measured quantity. `code` is LOINC, `unit` UCUM; `column` is its name in tables.

    `critical` is None where no value calls for an alert. `reference_by_sex` overrides `reference`.
    """

    code: str
    name: str
    column: str
    unit: str
    kind: Kind
    reference: Range
    possible: Range
    also: tuple[Alternate, ...] = ()
    reference_by_sex: Mapping[Sex, Range] = field(default_factory=dict)
    critical: Range | None = None

    def reference_for(self, sex: Sex | None) -> Range:
        """The reference range; where the sex is not known, the widest, so that nothing normal is flagged."""
        return self.reference_by_sex.get(sex, self.reference) if sex else self.reference


def _lab(code: str, name: str, column: str, unit: str, reference: tuple[float, float], possible: tuple[float, float],
         *also: Alternate, critical: tuple[float, float] | None = None,
         by_sex: Mapping[Sex, Range] | None = None) -> Analyte:
    return Analyte(code=code, name=name, column=column, unit=unit, kind=Kind.LAB, reference=Range(*reference),
                   possible=Range(*possible), also=also, critical=Range(*critical) if critical else None,
                   reference_by_sex=by_sex or {})


def _vital(code: str, name: str, column: str, unit: str, reference: tuple[float, float], possible: tuple[float, float],
           *also: Alternate) -> Analyte:
    return Analyte(code=code, name=name, column=column, unit=unit, kind=Kind.VITAL, reference=Range(*reference),
                   possible=Range(*possible), also=also)


ANALYTES: tuple[Analyte, ...] = (
    _lab("2951-2", "Sodium", "sodium", "mmol/L", (135, 145), (50, 225), Alternate("meq/L", "2951-2", 1), critical=(120, 160)),
    _lab("2823-3", "Potassium", "potassium", "mmol/L", (3.5, 5.0), (0, 12), Alternate("meq/L", "2823-3", 1),
         critical=(2.5, 6.5)),
    _lab("2345-7", "Glucose", "glucose", "mg/dL", (70, 99), (33, 2000), Alternate("mmol/L", "14749-6", 1 / 0.05551),
         critical=(45, 450)),
    _lab("2160-0", "Creatinine", "creatinine", "mg/dL", (0.6, 1.2), (0.1, 60), Alternate("umol/L", "14682-9", 1 / 88.4),
         critical=(0.1, 7.5)),
    _lab("3094-0", "Urea nitrogen", "urea_nitrogen", "mg/dL", (8, 20), (0, 250), Alternate("mmol/L", "14937-7", 1 / 0.357),
         critical=(0, 100)),
    _lab("1742-6", "ALT", "alt", "U/L", (0, 35), (2, 10000), Alternate("ukat/L", "1742-6", 1 / 0.0167), critical=(2, 1000)),
    _lab("1920-8", "AST", "ast", "U/L", (0, 35), (6, 20000), Alternate("ukat/L", "1920-8", 1 / 0.0167), critical=(6, 1000)),
    _lab("1975-2", "Bilirubin, total", "bilirubin", "mg/dL", (0.1, 1.2), (0.1, 60), Alternate("umol/L", "14631-6", 1 / 17.1),
         critical=(0.1, 15)),
    _lab("1751-7", "Albumin", "albumin", "g/dL", (3.4, 4.7), (0.6, 6), Alternate("g/L", "1751-7", 1 / 10), critical=(1.5, 6)),
    _lab("718-7", "Hemoglobin", "hemoglobin", "g/dL", (12, 17.2), (0, 25), Alternate("g/L", "718-7", 1 / 10),
         critical=(7, 20), by_sex={Sex.FEMALE: Range(12, 15), Sex.MALE: Range(13.6, 17.2)}),
    _lab("6690-2", "Leukocytes", "leukocytes", "10*9/L", (3.2, 9.8), (0, 1000), Alternate("10*3/uL", "6690-2", 1),
         Alternate("{cells}/uL", "6690-2", 1 / 1000), Alternate("cells/uL", "6690-2", 1 / 1000), critical=(1, 50)),
    _lab("777-3", "Platelets", "platelets", "10*9/L", (130, 400), (0, 2000), Alternate("10*3/uL", "777-3", 1),
         critical=(20, 1000)),
    _vital("8867-4", "Heart rate", "heart_rate", "/min", (60, 100), (0, 350)),
    _vital("9279-1", "Respiratory rate", "respiratory_rate", "/min", (12, 20), (0, 300)),
    _vital("2708-6", "SpO2", "spo2", "%", (95, 100), (0, 100)),
    _vital("8310-5", "Body temperature", "temperature", "Cel", (36.1, 37.2), (26, 45),
           Alternate("[degF]", "8310-5", 1 / 1.8, offset=32)),
    _vital("8480-6", "Systolic pressure", "systolic", "mm[Hg]", (90, 120), (0, 375), Alternate("kPa", "8480-6", 1 / 0.1333)),
    _vital("8462-4", "Diastolic pressure", "diastolic", "mm[Hg]", (60, 80), (0, 375), Alternate("kPa", "8462-4", 1 / 0.1333)),
)

BY_CODE: Mapping[str, Analyte] = {code: analyte for analyte in ANALYTES
                                  for code in (analyte.code, *(other.code for other in analyte.also))}
"""Analytes by every code that is accepted for them, canonical or not."""

SYSTOLIC, DIASTOLIC = "8480-6", "8462-4"
CTCAE_GRADES = {"alt": (1.0, 3.0, 5.0, 20.0), "ast": (1.0, 3.0, 5.0, 20.0), "bilirubin": (1.0, 1.5, 3.0, 10.0)}
"""Multiples of the upper limit of normal above which grades 1 to 4 begin (CTCAE)."""


def ctcae_grade(analyte: Analyte, value: float) -> int | None:
    """The CTCAE grade (0 to 4) of a canonical value; None for analytes that are not graded by multiples of their limit."""
    steps = CTCAE_GRADES.get(analyte.column)
    return None if steps is None else sum(value > step * analyte.reference.high for step in steps)
