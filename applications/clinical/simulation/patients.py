"""Who is simulated: demographics, site, arm, what they are prescribed, and when they enrolled."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from string import ascii_uppercase, digits

from applications.clinical.simulation.physiology import SIGNALS
from applications.clinical.simulation.risk import DAY, Path, randomness

STUDY = "CARDIO-ONC-01"
SITE_OFFSETS = (UTC, timezone(timedelta(hours=1)), timezone(timedelta(hours=-5)), timezone(timedelta(hours=5.5)))
"""Sites write their local time with its offset, like real ones; the first keeps UTC."""
SITES = 4
ENROLLED_DAYS = (2, 180)
"""How long before the simulation's start patients enrolled: at least, at most."""
TREATMENT_SHIFT = -0.1
"""What the treatment does to the latent risk."""

_ALPHABET = digits + ascii_uppercase
_ID_DIGITS = 7
_ID_SPACE = len(_ALPHABET) ** _ID_DIGITS
_ID_STEP = 48271348957
"""Coprime to the space: index times step modulo the space is another id for every index."""


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug as it is given: dose in a UCUM unit, route, frequency; `high_risk` asks for a second pair of eyes."""

    name: str
    dose: float
    unit: str
    route: str
    frequency: str
    high_risk: bool = False


FORMULARY = (
    Drug("metoprolol", 50, "mg", "oral", "BID"), Drug("lisinopril", 10, "mg", "oral", "QD"),
    Drug("atorvastatin", 40, "mg", "oral", "QD"), Drug("metformin", 500, "mg", "oral", "BID"),
    Drug("pantoprazole", 40, "mg", "oral", "QD"), Drug("ondansetron", 8, "mg", "oral", "TID"),
    Drug("enoxaparin", 40, "mg", "subcutaneous", "QD", high_risk=True),
    Drug("insulin glargine", 20, "[iU]", "subcutaneous", "QD", high_risk=True),
    Drug("warfarin", 5, "mg", "oral", "QD", high_risk=True))
STUDY_DRUG = {"treatment": Drug("VX-417", 150, "mg", "oral", "BID"), "control": Drug("placebo", 150, "mg", "oral", "BID")}
RESCUE = (Drug("piperacillin-tazobactam", 4.5, "g", "intravenous", "once"), Drug("furosemide", 40, "mg", "intravenous", "once"),
          Drug("norepinephrine", 8, "ug/min", "intravenous", "continuous", high_risk=True),
          Drug("potassium chloride", 20, "mmol", "intravenous", "once", high_risk=True))
"""Given to whoever deteriorates."""


@dataclass(frozen=True, slots=True)
class Patient:
    """One participant. `enrolled` is the first second (since 1970) at which events may be; `levels` the own level of each
    signal, in standard deviations between patients."""

    index: int
    patient_id: str
    site_id: str
    offset: timezone
    trial_arm: str
    age: int
    sex: str
    weight_kg: float
    height_cm: float
    enrolment_date: date
    enrolment_text: str
    offset_seconds: float
    enrolled: float
    levels: Mapping[str, float]
    prescriptions: tuple[Drug, ...]
    path: Path


def make(key: str, index: int, start: datetime, prefix: str, first_site: int, shift: float = 0) -> Patient:
    """The patient of an index. `prefix` (one letter) and `first_site` set the patients of one source apart from another's; `shift`
    is added to all levels."""
    draw = randomness(key, "patient", index)
    sex = draw.choices(("female", "male", "other"), (0.495, 0.495, 0.01))[0]
    height = min(max(draw.gauss(164 if sex == "female" else 177, 7), 140), 205)
    weight = min(max(draw.gauss(26, 4), 17), 42) * (height / 100) ** 2
    arm = draw.choice(("treatment", "control"))
    enrolment = start.astimezone(UTC).date() - timedelta(days=draw.randint(*ENROLLED_DAYS))
    site = draw.randrange(SITES)
    return Patient(
        index=index, patient_id=_pseudonym(key, index, prefix), site_id=f"SITE{first_site + site:03d}", offset=SITE_OFFSETS[site],
        trial_arm=arm, age=min(max(round(draw.gauss(61, 13)), 18), 95), sex=sex, weight_kg=round(weight, 1),
        height_cm=round(height, 1), enrolment_date=enrolment,
        enrolment_text=enrolment.isoformat(), offset_seconds=SITE_OFFSETS[site].utcoffset(None).total_seconds(),
        # A day later, so that the enrolment is past in every time zone.
        enrolled=(enrolment - date(1970, 1, 1)).days * DAY + DAY, levels={code: draw.gauss(shift, 1) for code in SIGNALS},
        prescriptions=_prescriptions(draw, arm),
        path=Path(f"{key}|{index}", TREATMENT_SHIFT if arm == "treatment" else 0.0))


def _prescriptions(draw: random.Random, arm: str) -> tuple[Drug, ...]:
    return (STUDY_DRUG[arm], *draw.sample(FORMULARY, draw.randint(0, 3)))


def _pseudonym(key: str, index: int, prefix: str) -> str:
    number = (randomness(key, "ids").randrange(_ID_SPACE) + index * _ID_STEP) % _ID_SPACE
    letters = ""
    for _ in range(_ID_DIGITS):
        number, digit = divmod(number, len(_ALPHABET))
        letters = _ALPHABET[digit] + letters
    return f"PT{prefix}{letters}"
