"""Units: from what a device or laboratory sends to the canonical unit of the lake.

The pair of code and unit decides. Range checks cannot: 20 umol/L of bilirubin looks plausible as mg/dL.
"""

from __future__ import annotations

from dataclasses import dataclass

from applications.clinical.terminology import BY_CODE, Analyte


class UnknownCode(ValueError):
    """A code that the contract does not know."""


class UnitMismatch(ValueError):
    """A unit that does not go with the code."""


@dataclass(frozen=True)
class Canonical:
    """A value in the canonical unit of its analyte. `converted` tells whether code or unit differed before."""

    analyte: Analyte
    value: float
    converted: bool

    @property
    def possible(self) -> bool:
        """Whether a body can show this value."""
        return self.value in self.analyte.possible


def to_canonical(code: str, value: float, unit: str) -> Canonical:
    """Converts a result. Raises UnknownCode, or UnitMismatch for a unit that the code does not allow."""
    analyte = BY_CODE.get(code)
    if analyte is None:
        raise UnknownCode("no analyte of the contract has this LOINC code")
    if code == analyte.code and unit == analyte.unit:
        return Canonical(analyte, value, converted=False)
    for other in analyte.also:
        if code == other.code and unit == other.unit:
            return Canonical(analyte, (value - other.offset) * other.factor, converted=True)
    allowed = [analyte.unit] * (code == analyte.code) + [other.unit for other in analyte.also if other.code == code]
    raise UnitMismatch(f"{code} ({analyte.name}) is measured in {' or '.join(allowed)}")
