"""The latent risk of a patient: what nobody sees, and what vitals, labs and adverse events all follow.

Risk is a mean-reverting (Ornstein-Uhlenbeck) process around the patient's own level, on an hourly grid, with variance 1 over
all patients and hours. Adverse events of grade 2 and above come as a point process whose rate is exponential in the risk of
six hours before: a patient deteriorates first, and the event follows.

The path is a pure function of the key and the hour. Each day has its own random numbers, and the process at a day's end is
the decaying sum of the last days' contributions, so any day is had without walking from the first: a restart continues the
very path that it left.
"""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass
from typing import TypeVar

HOUR = 3600.0
DAY = 24 * HOUR

REVERSION_HOURS = 40.0
"""Time constant with which the risk returns to the patient's level."""
OWN_SHARE, DRIFT_SHARE = 0.5, math.sqrt(1 - 0.5**2)
"""Standard deviations of what a patient brings along and of what drifts; their squares sum to 1."""
LAG_HOURS = 6
"""How long after the deterioration the events come."""
LOG_HOURLY_RATE, RISK_SLOPE = -8.12, 2.3
"""Logarithm of the hourly rate of events of grade 2 and above at risk 0, and what one unit of risk adds to it."""
HIGHEST_HOURLY_RATE = 1 / 8
LOG_MILD_RATE, MILD_SLOPE = -5.6, 0.5
"""The same for events of grade 1, which happen to everybody."""

_DECAY = math.exp(-1 / REVERSION_HOURS)
_SHOCK = math.sqrt(1 - _DECAY**2)
_DAY_DECAY = _DECAY**24
_MEMORY_DAYS = 12
"""Days after which a contribution has faded to less than a thousandth."""
_GRADES = (2, 3, 4)
_GRADE_CHANCES = (0.62, 0.29, 0.09)


T = TypeVar("T")


def randomness(*key: object) -> random.Random:
    """Random numbers that belong to a key: the same for the same key, on every machine and in every process."""
    digest = hashlib.blake2b("|".join(map(str, key)).encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(digest, "big"))


@dataclass(frozen=True, slots=True)
class Onset:
    """An adverse event begins: when (seconds since 1970) and with which CTCAE grade."""

    time: float
    grade: int


class Path:
    """One patient's risk and adverse events over time. Times are seconds since 1970; days are UTC days since then."""

    def __init__(self, key: str, shift: float = 0.0) -> None:
        """`shift` is added to the risk (a treatment's effect, say)."""
        self._key = key
        self._own = OWN_SHARE * randomness(key, "own").gauss(0, 1) + shift
        self._contributions: dict[int, float] = {}
        self._days: dict[int, list[float]] = {}
        self._onsets: dict[int, list[Onset]] = {}

    def risk(self, time: float) -> float:
        """The latent risk, in standard deviations over all patients; between hours it is interpolated."""
        number = int(time // DAY)
        hours = (time - number * DAY) / HOUR
        hour = min(int(hours), 23)
        risks = self._hours(number)
        return risks[hour] + (hours - hour) * (risks[hour + 1] - risks[hour])

    def onsets(self, number: int) -> list[Onset]:
        """The adverse events that begin on a day, by time."""
        found = self._onsets.get(number)
        if found is None:
            found = self._onsets[number] = self._drawn(number)
            _forget_farthest(self._onsets, number, 2)
        return found

    def _drawn(self, number: int) -> list[Onset]:
        draw = randomness(self._key, "events", number)
        lagged = self._hours(number - 1)[24 - LAG_HOURS:24] + self._hours(number)[:24 - LAG_HOURS]
        found = []
        for hour, risk in enumerate(lagged):
            rate = min(math.exp(LOG_HOURLY_RATE + RISK_SLOPE * risk), HIGHEST_HOURLY_RATE)
            mild_rate = math.exp(LOG_MILD_RATE + MILD_SLOPE * risk)
            chance, moment, grade = draw.random(), draw.random(), draw.choices(_GRADES, _GRADE_CHANCES)[0]
            time = number * DAY + (hour + moment) * HOUR
            if chance < rate:
                found.append(Onset(time, grade))
            elif chance > 1 - mild_rate:
                found.append(Onset(time, 1))
        return found

    def _hours(self, number: int) -> list[float]:
        """The risk at the hours 0 to 24 of a day."""
        risks = self._days.get(number)
        if risks is None:
            value = self._level_at_end_of(number - 1)
            risks = [self._own + DRIFT_SHARE * value]
            for shock in self._shocks(number):
                value = _DECAY * value + shock
                risks.append(self._own + DRIFT_SHARE * value)
            self._days[number] = risks
            _forget_farthest(self._days, number, 3)
        return risks

    def _level_at_end_of(self, number: int) -> float:
        return sum(_DAY_DECAY**back * self._contribution(number - back) for back in range(_MEMORY_DAYS))

    def _contribution(self, number: int) -> float:
        found = self._contributions.get(number)
        if found is None:
            found = 0.0
            for shock in self._shocks(number):
                found = _DECAY * found + shock
            self._contributions[number] = found
            _forget_farthest(self._contributions, number, _MEMORY_DAYS + 2)
        return found

    def _shocks(self, number: int) -> list[float]:
        gauss = randomness(self._key, "risk", number).gauss
        return [gauss(0, _SHOCK) for _ in range(24)]


def _forget_farthest(days: dict[int, T], number: int, most: int) -> None:
    """Keeps a cache by day at `most` entries, those near a day."""
    if len(days) > most:
        del days[max(days, key=lambda kept: abs(kept - number))]
