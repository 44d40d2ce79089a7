"""Patients over simulated time: the same seed, number of patients and start give the same events, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from applications.clinical.simulation.events import (
    ONSET_DELAY_SECONDS,
    STAT_RISK,
    Envelope,
    adverse_event,
    demographics_event,
    lab_event,
    medication_event,
    vitals_event,
)
from applications.clinical.simulation.patients import RESCUE, Patient, make
from applications.clinical.simulation.physiology import LABS
from applications.clinical.simulation.risk import DAY, HOUR, Onset, randomness

DOSE_HOURS = {"QD": (8,), "BID": (8, 20), "TID": (6, 14, 22)}
RESCUE_CHANCE = 0.1
"""Hourly, above STAT_RISK; so is STAT_PANEL_CHANCE."""
STAT_PANEL_CHANCE = 0.1
PANEL_HOUR = 6
PANEL_SHARE = 0.5
"""Chance of each analyte to be in the day's panel."""
DEMOGRAPHICS_DAYS = 7

Timed = tuple[float, Envelope]


class Simulation:
    """`patients` simulated participants, enrolled 2 to 180 days before `start`.

    `prefix` (one capital letter or digit, in patient ids) and `first_site` keep the patients of two senders apart.
    `vitals_minutes` is the time between two sets of vitals of a patient in simulated time. `shift` moves the levels of all vitals
    and laboratory results of the same patients, in standard deviations between them: not what a model has learned from. Raises
    ValueError for a start without a time zone, or numbers that are not positive.
    """

    def __init__(self, seed: int, patients: int, start: datetime, *, prefix: str = "K", first_site: int = 1,
                 vitals_minutes: float = 60, shift: float = 0) -> None:
        if start.tzinfo is None:
            raise ValueError("the simulation's start needs a time zone: datetime(…, tzinfo=UTC), say")
        if patients < 1 or vitals_minutes <= 0:
            raise ValueError(f"patients ({patients}) and vitals_minutes ({vitals_minutes}) must be positive")
        self.start = start.astimezone(UTC)
        # All that content depends on stands in the key, since event ids follow from it: no id with two contents.
        who = f"{seed}|{prefix}|{first_site}|{self.start.isoformat()}|{vitals_minutes:g}"
        self.key = f"{who}|{shift:g}" if shift else who
        # The same patients whatever the shift, so that one can begin among patients who are known.
        self.patients = [make(who, index, self.start, prefix, first_site, shift) for index in range(patients)]
        self._interval = vitals_minutes * 60

    def latent(self, patient_index: int, time: datetime) -> float:
        """The ground truth: a patient's latent risk at a time, in standard deviations over all patients."""
        return self.patients[patient_index].path.risk(time.timestamp())

    def onsets(self, patient_index: int, begin: datetime, end: datetime) -> list[Onset]:
        """The ground truth: the adverse events of a patient that begin in (begin, end]."""
        first, last = begin.timestamp(), end.timestamp()
        path = self.patients[patient_index].path
        return [onset for day in range(int(first // DAY), int(last // DAY) + 1)
                for onset in path.onsets(day) if first < onset.time <= last]

    def history(self, days: float) -> Iterator[Envelope]:
        """The events of the `days` before the start, in time order. A patient's begin with the enrolment."""
        return self.between(self.start - timedelta(days=days), self.start)

    def events(self, until: datetime) -> Iterator[Envelope]:
        """The events from the start until a time, in time order."""
        return self.between(self.start, until)

    def between(self, begin: datetime, end: datetime) -> Iterator[Envelope]:
        """The events of [begin, end) of all patients, ordered by event_time. Ranges that meet give what the whole gives."""
        first, last = begin.timestamp(), end.timestamp()
        for hour in range(int(first // HOUR), int(-(-last // HOUR))):
            found = [(time, event) for patient in self.patients if patient.enrolled < last
                     for time, event in self._hour(patient, hour) if max(first, patient.enrolled) <= time < last]
            found.sort(key=lambda timed: timed[0])
            for _, event in found:
                yield event

    def reports(self, patient: Patient, begin: float, end: float) -> list[Timed]:
        """Adverse events of a patient that are reported in (begin, end], seconds since 1970, with the time of the report."""
        found = []
        for day in range(int((begin - ONSET_DELAY_SECONDS[1]) // DAY), int(end // DAY) + 1):
            for number, onset in enumerate(patient.path.onsets(day)):
                draw = randomness(self.key, patient.index, "report", day, number)
                recorded = onset.time + draw.uniform(*ONSET_DELAY_SECONDS)
                if begin < recorded <= end:
                    found.append((recorded, adverse_event(patient, onset, recorded, draw)))
        return found

    def _hour(self, patient: Patient, hour: int) -> Iterator[Timed]:
        draw = randomness(self.key, patient.index, "hour", hour)
        begin, clock = hour * HOUR, hour % 24
        phase = patient.index * 97.0 % self._interval
        time = begin + (phase - begin) % self._interval
        while time < begin + HOUR:
            yield time, vitals_event(patient, time, draw)
            time += self._interval
        unwell = patient.path.risk(begin) > STAT_RISK
        yield from self._labs(patient, begin, clock == PANEL_HOUR, unwell and draw.random() < STAT_PANEL_CHANCE)
        for drug in patient.prescriptions:
            if clock in DOSE_HOURS[drug.frequency]:
                time = begin + draw.uniform(0, HOUR)
                yield time, medication_event(patient, drug, time, draw)
        if unwell and draw.random() < RESCUE_CHANCE:
            time = begin + draw.uniform(0, HOUR)
            yield time, medication_event(patient, draw.choice(RESCUE), time, draw)
        day = int(begin // DAY)
        for number, onset in enumerate(patient.path.onsets(day)):
            if begin <= onset.time < begin + HOUR:
                report = randomness(self.key, patient.index, "report", day, number)
                yield onset.time, adverse_event(patient, onset, onset.time + report.uniform(*ONSET_DELAY_SECONDS), report)
        enrolling = patient.enrolled == begin
        if enrolling or (clock == 9 and (day + patient.index) % DEMOGRAPHICS_DAYS == 0):
            yield begin, demographics_event(patient, begin, draw)

    def _labs(self, patient: Patient, begin: float, daily: bool, stat: bool) -> Iterator[Timed]:
        if daily or stat:
            draw = randomness(self.key, patient.index, "labs", begin)
            time = begin + draw.uniform(0, HOUR)
            recorded = time + draw.uniform(20, 90) * 60
            for code in LABS:
                if stat or draw.random() < PANEL_SHARE:
                    yield time, lab_event(patient, code, time, recorded, draw)
