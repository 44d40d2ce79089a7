"""Native envelopes of one patient's events. Each function draws its values from the random numbers that it is given."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

from applications.clinical.models import SCHEMA_VERSION, EventType
from applications.clinical.simulation.patients import STUDY, Drug, Patient
from applications.clinical.simulation.physiology import CRISES, LAB_LAG_HOURS, crisis, lab, vitals
from applications.clinical.simulation.risk import DAY, HOUR, Onset
from applications.clinical.terminology import ANALYTES

Envelope = dict[str, Any]

STAT_RISK = 1.5
"""Latent risk above which the ward wants its results at once."""
CRISIS_RISK, CRISIS_CHANCE = 2.0, 0.05
"""Latent risk above which this share of the results is critical."""
ONSET_DELAY_SECONDS = (10, 120)
"""How long after its onset an adverse event is reported: at least, at most."""

_TERMS = ("Nausea", "Fatigue", "Headache", "Dizziness", "Hypotension", "Atrial fibrillation", "Dyspnea", "Sepsis",
          "Acute kidney injury", "Alanine aminotransferase increased", "Anemia", "Neutropenia", "Pneumonitis", "Pyrexia")
_ACTIONS = ("dose reduced", "dose interrupted", "drug withdrawn")
_REPORTERS = ("investigator", "nurse", "patient")
_UNITS = {analyte.code: analyte.unit for analyte in ANALYTES}


def event_id(draw: random.Random) -> str:
    """A UUID (version 4 in form) out of the given random numbers, so that a repeated run gives it again."""
    text = f"{draw.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


def vitals_event(patient: Patient, time: float, draw: random.Random) -> Envelope:
    """One set of vital signs at a time (seconds since 1970)."""
    local_hours = (time + patient.offset_seconds) % DAY / HOUR
    found = vitals(patient.levels, patient.path.risk(time), local_hours, draw)
    return _envelope(patient, EventType.PATIENT_VITALS, time, time + 1, "bedside-monitor", draw, {
        "measurements": [{"code": code, "value": value, "unit": _UNITS[code]} for code, value in found.items()]})


def lab_event(patient: Patient, code: str, time: float, recorded: float, draw: random.Random, *,
              critical: bool = False) -> Envelope:
    """One result of a sample taken at `time` and known at `recorded`. `critical` (for codes of CRISES) makes it alarming."""
    risk = patient.path.risk(time - LAB_LAG_HOURS * HOUR)
    critical = critical or (code in CRISES and risk > CRISIS_RISK and draw.random() < CRISIS_CHANCE)
    value = crisis(code, draw) if critical else lab(code, patient.levels, risk, draw)
    return _envelope(patient, EventType.LAB_RESULTS, time, recorded, "laboratory-system", draw, {
        "code": code, "value": value, "unit": _UNITS[code], "sex": patient.sex,
        "priority": "stat" if critical or risk > STAT_RISK else "routine"})


def medication_event(patient: Patient, drug: Drug, time: float, draw: random.Random) -> Envelope:
    """One administration."""
    return _envelope(patient, EventType.MEDICATIONS, time, time + 5, "medication-administration", draw, {
        "drug": drug.name, "dose": drug.dose, "unit": drug.unit, "route": drug.route, "frequency": drug.frequency,
        "high_risk": drug.high_risk})


def demographics_event(patient: Patient, time: float, draw: random.Random) -> Envelope:
    """What enrolment wrote down."""
    return _envelope(patient, EventType.DEMOGRAPHICS, time, time + 30, "trial-registry", draw, {
        "age": patient.age, "sex": patient.sex, "weight_kg": patient.weight_kg, "height_cm": patient.height_cm,
        "enrolment_date": patient.enrolment_text, "study_id": STUDY})


def adverse_event(patient: Patient, onset: Onset, recorded: float, draw: random.Random) -> Envelope:
    """The report of an adverse event, recorded later than its onset; some mild ones are over by then."""
    over = onset.grade == 1 and draw.random() < 0.3
    payload: dict[str, Any] = {
        "term": draw.choice(_TERMS), "grade": onset.grade, "start": _text(onset.time, patient),
        "related": draw.random() < (0.4 if patient.trial_arm == "treatment" else 0.2), "reporter": draw.choice(_REPORTERS)}
    if over:
        payload["end"] = _text((onset.time + recorded) / 2, patient)
    if onset.grade >= 2:
        payload["action_taken"] = draw.choice(_ACTIONS)
    return _envelope(patient, EventType.ADVERSE_EVENTS, onset.time, recorded, "safety-reporting", draw, payload)


def _text(time: float, patient: Patient) -> str:
    return datetime.fromtimestamp(time, patient.offset).isoformat(timespec="milliseconds")


def _envelope(patient: Patient, kind: EventType, time: float, recorded: float, source: str, draw: random.Random,
              payload: dict[str, Any]) -> Envelope:
    return {"event_id": event_id(draw), "schema_version": SCHEMA_VERSION, "event_type": kind.value,
            "patient_id": patient.patient_id, "study_id": STUDY, "site_id": patient.site_id, "trial_arm": patient.trial_arm,
            "event_time": _text(time, patient), "recorded_time": _text(recorded, patient), "source": source,
            "enrolment_date": patient.enrolment_text, "payload": payload}
