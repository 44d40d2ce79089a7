"""The same patients at the wall clock: events that happen now, at a set rate."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

from applications.clinical.simulation.events import (
    Envelope,
    adverse_event,
    demographics_event,
    lab_event,
    medication_event,
    vitals_event,
)
from applications.clinical.simulation.patients import Patient
from applications.clinical.simulation.physiology import CRISES, LABS
from applications.clinical.simulation.risk import HOUR, Onset, randomness
from applications.clinical.simulation.simulation import Simulation

CYCLE = 100
LAB_SLOTS = frozenset(range(5, CYCLE, 16))
MEDICATION_SLOTS = frozenset((12, 45, 78))
MILD_SLOT, DEMOGRAPHICS_SLOT = 33, 66
"""Every hundred events: 6 laboratory results, 3 administrations, a mild adverse event, demographics, and vitals else."""
CRITICAL_CYCLES = 3
"""In every third cycle the first laboratory result is critical."""
WORST_OF = 8
REPORT_SECONDS = 1.0
"""How often the reports that have fallen due are looked for."""
CATCH_UP_SECONDS = 2.0
REST_SECONDS = (0.005, 0.02)
"""How long to sleep when nothing is due: long enough not to spin, short enough to be even."""


class Live(Iterator[Envelope]):
    """Endless events of now: each is made when it is asked for, and happens at that moment.

    Patients are measured in turn, so that an event rate above the simulation's own rhythm means closer monitoring. Their
    risk moves with the clock, and so do the adverse events of grade 2 and above, which come when they are due. At first,
    every second event introduces a patient who is not known yet.

    `run` sets the ids of one run apart from another's: count it up whenever a process starts. `since` is where the run
    before ended (seconds since 1970): what fell due in between, at most an hour of it, is reported. Runs after the first
    introduce nobody.
    """

    def __init__(self, simulation: Simulation, run: int = 0, since: float | None = None,
                 clock: Callable[[], float] = time.time) -> None:
        self._simulation = simulation
        self._clock = clock
        self._draw = randomness(simulation.key, "live", run)
        self._order = list(simulation.patients)
        self._draw.shuffle(self._order)
        self._unknown = deque(self._order if run == 0 else ())
        now = clock()
        self._reported = now if since is None else min(max(since, now - HOUR), now)
        self._due: deque[Envelope] = deque()
        self._count = 0
        self._measured = self._analysed = self._treated = self._described = 0

    def __next__(self) -> Envelope:
        now = self._clock()
        if now - self._reported >= REPORT_SECONDS:
            found = sorted((report for patient in self._order
                            for report in self._simulation.reports(patient, self._reported, now)), key=lambda timed: timed[0])
            self._due.extend(event for _, event in found)
            self._reported = now
        if self._due:
            return self._due.popleft()
        self._count += 1
        if self._unknown and self._count % 2:
            return demographics_event(self._unknown.popleft(), now, self._draw)
        return self._routine(self._count // 2 if self._unknown else self._count, now)

    def _routine(self, number: int, now: float) -> Envelope:
        cycle, slot = divmod(number, CYCLE)
        order, draw = self._order, self._draw
        if slot in LAB_SLOTS:
            if slot == min(LAB_SLOTS) and cycle % CRITICAL_CYCLES == 0:
                return lab_event(self._worst(now), draw.choice(list(CRISES)), now, now, draw, critical=True)
            turn, place = divmod(self._analysed, len(order))
            self._analysed += 1
            return lab_event(order[place], LABS[(turn + place) % len(LABS)], now, now, draw)
        if slot in MEDICATION_SLOTS:
            self._treated += 1
            patient = order[self._treated % len(order)]
            return medication_event(patient, draw.choice(patient.prescriptions), now, draw)
        if slot == MILD_SLOT:
            return adverse_event(self._worst(now), Onset(now, 1), now + 1, draw)
        if slot == DEMOGRAPHICS_SLOT:
            self._described += 1
            return demographics_event(order[self._described % len(order)], now, draw)
        self._measured += 1
        return vitals_event(order[self._measured % len(order)], now, draw)

    def _worst(self, now: float) -> Patient:
        return max(self._draw.choices(self._order, k=WORST_OF), key=lambda patient: patient.path.risk(now))


class Pace:
    """A schedule of so many things a second, kept on a monotonic clock: being late once does not make it late for ever.

    After a stall it catches up, but not more than what two seconds hold: what waited longer is moved, not rushed.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate` is things a second; 0 holds nothing back. Raises ValueError when it is negative."""
        if rate < 0:
            raise ValueError(f"the rate must be 0 (no limit) or more, not {rate:g} a second")
        self._rate = rate
        self._clock = clock
        self._begin = clock()
        self._granted = 0

    def due(self, most: int) -> int:
        """How many may go now, at most `most`; they count as gone."""
        if self._rate == 0:
            return most
        owed = int((self._clock() - self._begin) * self._rate) + 1 - self._granted
        allowed = max(int(CATCH_UP_SECONDS * self._rate), 1)
        if owed > allowed:
            self._begin += (owed - allowed) / self._rate
            owed = allowed
        grant = min(max(owed, 0), most)
        self._granted += grant
        return grant

    @property
    def rest(self) -> float:
        """Seconds to sleep when nothing is due."""
        shortest, longest = REST_SECONDS
        return min(max(self._begin + self._granted / self._rate - self._clock(), shortest), longest) if self._rate else 0.0


class Stream(Iterator[Envelope]):
    """Live events at a wall-clock rate (a second). Iterating waits until the next one is due."""

    def __init__(self, simulation: Simulation, rate: float, run: int = 0) -> None:
        self._live = Live(simulation, run)
        self._pace = Pace(rate)

    def __next__(self) -> Envelope:
        while not self._pace.due(1):
            time.sleep(self._pace.rest)
        return next(self._live)
