"""Valid events of every type, hypothesis strategies for them, and the samples' bytes."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from applications.clinical.reasons import Invalid, Reason
from applications.clinical.terminology import ANALYTES, Kind

Event = dict[str, Any]

RECEIVED = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = "11111111-2222-4333-8444-555555555555"
BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_SAMPLES = Path(__file__).parent / "samples"

_PAYLOADS: dict[str, dict[str, Any]] = {
    "patient-vitals": {"measurements": [{"code": "8867-4", "value": 72.0, "unit": "/min"},
                                        {"code": "8480-6", "value": 121.0, "unit": "mm[Hg]"},
                                        {"code": "8462-4", "value": 79.0, "unit": "mm[Hg]"}]},
    "lab-results": {"code": "2345-7", "value": 92.0, "unit": "mg/dL", "sex": "female", "priority": "stat"},
    "medications": {"drug": "Metoprolol", "dose": 50.0, "unit": "mg", "route": "oral", "frequency": "BID", "high_risk": True},
    "adverse-events": {"term": "Übelkeit", "grade": 3, "start": "2026-03-01T07:00:00+01:00", "end": "2026-03-01T08:00:00+01:00",
                       "related": True, "action_taken": "dose reduced", "reporter": "investigator"},
    "demographics": {"age": 64, "sex": "female", "weight_kg": 71.5, "height_cm": 168.0, "enrolment_date": "2026-01-15"}}
TYPES = tuple(_PAYLOADS)


def event(event_type: str = "patient-vitals", /, payload: dict[str, Any] | None = None, **changes: Any) -> Event:
    """A valid event; `payload` replaces its payload, `changes` its envelope's fields."""
    return {"event_id": ID, "schema_version": "1.0.0", "event_type": event_type, "patient_id": "PTAB12CD34",
            "study_id": "CARDIO-01", "site_id": "SITE007", "trial_arm": "treatment", "event_time": "2026-03-01T09:05:00+01:00",
            "recorded_time": "2026-03-01T09:06:10.250+01:00", "source": "Cuff 12", "enrolment_date": "2026-01-15",
            "payload": deepcopy(_PAYLOADS[event_type]) if payload is None else payload, **changes}


def sample(name: str) -> bytes:
    """The bytes of a sample file."""
    return (_SAMPLES / name).read_bytes()


def faults(call: Callable[[], object]) -> dict[str, str]:
    """Code by field of every reason with which the call refuses."""
    return {field: str(reason.code) for field, reason in reasons(call).items()}


def reasons(call: Callable[[], object]) -> dict[str, Reason]:
    """Every reason by its field. Fails when nothing is refused, or a field is named twice."""
    with pytest.raises(Invalid) as caught:
        call()
    found = {reason.field: reason for reason in caught.value.reasons}
    assert len(found) == len(caught.value.reasons), caught.value.reasons
    return found


def moments() -> st.SearchStrategy[str]:
    """Times with millisecond precision in offsets of the whole world, Nepal's and Newfoundland's too."""
    offsets = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
    return st.builds(lambda seconds, millis, zone: datetime.fromtimestamp(1_700_000_000 + seconds + millis / 1000, zone).isoformat(
        timespec="milliseconds"), st.integers(0, 80_000_000), st.integers(0, 999), offsets)


def texts() -> st.SearchStrategy[str]:
    """Words of any script, as a device or a drug may have them, without blanks at their ends."""
    letters = st.characters(min_codepoint=0x21, max_codepoint=0x2FFFF, exclude_categories=("C", "Z"))
    return st.text(st.one_of(letters, st.sampled_from("|^~\\&\"# ")), min_size=1, max_size=20).map(
        lambda text: " ".join(text.split())).filter(lambda text: text not in ("", '""'))


def measurements(kind: Kind) -> st.SearchStrategy[dict[str, Any]]:
    """A result in any of the units that its code allows."""
    pairs = [(a.code, a.unit) for a in ANALYTES if a.kind is kind] + [
        (other.code, other.unit) for a in ANALYTES if a.kind is kind for other in a.also]
    return st.builds(lambda pair, value: {"code": pair[0], "value": value, "unit": pair[1]},
                     st.sampled_from(pairs), st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 6)))


def _enveloped(event_type: str, payload: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Event]:
    return st.builds(
        lambda own, **fields: {**event(event_type, own), **fields}, payload, event_id=st.uuids().map(str),
        patient_id=st.from_regex(r"\APT[0-9A-Z]{8}\Z"), event_time=moments(), recorded_time=moments(), source=texts(),
        trial_arm=st.sampled_from(("treatment", "control")), site_id=st.from_regex(r"\ASITE[0-9]{3}\Z"))


def observed() -> st.SearchStrategy[Event]:
    """Events that both formats have a place for."""
    labs = st.builds(lambda measured, sex, priority: {**measured, "sex": sex, "priority": priority}, measurements(Kind.LAB),
                     st.sampled_from(("female", "male", "other", "unknown")), st.sampled_from(("routine", "stat")))
    vitals = st.lists(measurements(Kind.VITAL), min_size=1, max_size=6).map(lambda found: {"measurements": found})
    return st.one_of(_enveloped("patient-vitals", vitals), _enveloped("lab-results", labs))


def anything() -> st.SearchStrategy[Event]:
    """Events of every type that senders send."""
    medications = st.fixed_dictionaries({
        "drug": texts(), "dose": st.floats(0.001, 1e4).map(lambda dose: round(dose, 3)), "unit": st.just("mg"), "route": texts(),
        "frequency": texts(), "high_risk": st.booleans()})
    adverse = st.fixed_dictionaries({
        "term": texts(), "grade": st.integers(1, 5), "start": moments(), "related": st.booleans(), "reporter": texts()},
        optional={"end": moments(), "action_taken": texts()})
    demographics = st.fixed_dictionaries({
        "age": st.integers(18, 120), "sex": st.sampled_from(("female", "male", "other", "unknown")),
        "weight_kg": st.floats(30, 300).map(lambda kilos: round(kilos, 1)),
        "height_cm": st.integers(100, 250).map(float), "enrolment_date": st.just("2026-01-15")})
    return st.one_of(observed(), _enveloped("medications", medications), _enveloped("adverse-events", adverse),
                     _enveloped("demographics", demographics))


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value."""
    leaves = st.one_of(st.none(), st.booleans(), st.integers(-2**63, 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
                       st.text(st.characters(exclude_categories=("Cs",)), max_size=12), moments())
    return st.recursive(leaves, lambda inner: st.one_of(st.lists(inner, max_size=4),
                                                        st.dictionaries(st.sampled_from(("code", "value", "x")), inner)),
                        max_leaves=6)


@st.composite
def spoiled(draw: st.DrawFn, value: Any) -> Any:
    """The JSON value with some of its parts dropped or replaced by anything."""
    value = deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        place, path = value, []
        while isinstance(place, dict | list) and place and (not path or draw(st.integers(0, 3))):
            key = draw(st.sampled_from(list(place) if isinstance(place, dict) else list(range(len(place)))))
            path.append((place, key))
            place = place[key]
        if not path:
            return draw(json_values())
        holder, key = path[-1]
        if draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = draw(json_values())
    return value
