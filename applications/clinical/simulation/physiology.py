"""How a latent risk shows in vitals and laboratory results: level of the patient, effect of the risk, time of day, noise."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from applications.clinical.terminology import BY_CODE, DIASTOLIC, SYSTOLIC, Kind

HEART_RATE, RESPIRATORY_RATE, SPO2, TEMPERATURE = "8867-4", "9279-1", "2708-6", "8310-5"


@dataclass(frozen=True, slots=True)
class Signal:
    """One analyte's behaviour, in its canonical unit, or in logarithms of it where `log`.

    `spread` is the standard deviation between patients, `effect` what one unit of risk adds, `noise` the standard deviation
    of one measurement, `daily` the half swing over a day (highest in the afternoon), `decimals` what the device shows.
    """

    mean: float
    spread: float
    effect: float
    noise: float
    decimals: int
    low: float
    high: float
    log: bool = False
    daily: float = 0.0

    def value(self, own: float, risk: float, hours: float, draw: random.Random) -> float:
        """One measurement: `own` is the patient's level, `hours` the time in hours since any midnight."""
        value = (self.mean + self.spread * own + self.effect * risk + self.noise * draw.gauss(0, 1)
                 + self.daily * math.cos((hours - 16) * math.pi / 12))
        if self.log:
            value = math.exp(value)
        return round(min(max(value, self.low), self.high), self.decimals)


def _log(median: float, spread: float, effect: float, noise: float, decimals: int, low: float, high: float) -> Signal:
    return Signal(math.log(median), spread, effect, noise, decimals, low, high, log=True)


SIGNALS: Mapping[str, Signal] = {
    HEART_RATE: Signal(76, 8, 9.5, 4, 0, 30, 220, daily=3),
    RESPIRATORY_RATE: Signal(15.5, 1.5, 2.6, 1.3, 0, 6, 60),
    SPO2: Signal(97, 0.9, -1.1, 0.8, 0, 70, 100),
    TEMPERATURE: Signal(36.7, 0.15, 0.32, 0.15, 1, 33, 42, daily=0.25),
    SYSTOLIC: Signal(122, 10, -8, 6, 0, 60, 230, daily=4),
    DIASTOLIC: Signal(74, 6, -4.5, 5, 0, 30, 130, daily=2),
    "2951-2": Signal(139.5, 1.5, -1.2, 1.2, 0, 105, 170),
    "2823-3": Signal(4.2, 0.2, 0.3, 0.18, 1, 1.8, 8.5),
    "2345-7": _log(96, 0.15, 0.12, 0.12, 0, 35, 800),
    "2160-0": _log(0.9, 0.18, 0.22, 0.07, 2, 0.2, 15),
    "3094-0": _log(14, 0.2, 0.22, 0.1, 1, 2, 180),
    "1742-6": _log(22, 0.3, 0.4, 0.15, 0, 4, 5000),
    "1920-8": _log(23, 0.28, 0.4, 0.15, 0, 7, 8000),
    "1975-2": _log(0.6, 0.25, 0.3, 0.12, 1, 0.2, 30),
    "1751-7": Signal(4.1, 0.2, -0.25, 0.12, 1, 1, 5.5),
    "718-7": Signal(13.6, 1.0, -0.6, 0.3, 1, 4, 19),
    "6690-2": _log(7, 0.18, 0.28, 0.1, 1, 0.3, 90),
    "777-3": _log(240, 0.2, -0.2, 0.08, 0, 5, 1200),
}
VITALS = tuple(code for code in SIGNALS if BY_CODE[code].kind is Kind.VITAL)
LABS = tuple(code for code in SIGNALS if BY_CODE[code].kind is Kind.LAB)
LAB_LAG_HOURS = 3
"""Blood follows the risk more slowly than the pulse does."""


def vitals(levels: Mapping[str, float], risk: float, hours: float, draw: random.Random) -> dict[str, float]:
    """One set of vital signs by LOINC code; the systolic pressure is above the diastolic."""
    found = {code: SIGNALS[code].value(levels[code], risk, hours, draw) for code in VITALS}
    found[DIASTOLIC] = min(found[DIASTOLIC], found[SYSTOLIC] - 10)
    return found


def lab(code: str, levels: Mapping[str, float], lagged_risk: float, draw: random.Random) -> float:
    """One laboratory result; `lagged_risk` is the risk LAB_LAG_HOURS before."""
    return SIGNALS[code].value(levels[code], lagged_risk, 0, draw)


CRISES: Mapping[str, tuple[float, float]] = {
    "2951-2": (108, 119), "2823-3": (6.6, 7.5), "2345-7": (34, 44), "718-7": (5.2, 6.9), "777-3": (8, 19)}
"""Values at which a laboratory calls the ward, by LOINC code: from, to."""


def crisis(code: str, draw: random.Random) -> float:
    """A critical result of one of CRISES."""
    return round(draw.uniform(*CRISES[code]), SIGNALS[code].decimals)
