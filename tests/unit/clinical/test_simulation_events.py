"""Rules: simulated events are valid, in time order, repeatable byte for byte, and never two contents under one id."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from applications.clinical.models import INGRESS, PATIENT_ID
from applications.clinical.simulation import Patient, Simulation
from applications.clinical.simulation.risk import LAG_HOURS, Path, randomness
from applications.clinical.terminology import BY_CODE
from applications.clinical.validation import check

START = datetime(2026, 3, 1, tzinfo=UTC)


def simulated(**changes: object) -> Simulation:
    return Simulation(**{"seed": 3, "patients": 60, "start": START, **changes})  # type: ignore[arg-type]


def text(time: float, patient: Patient) -> str:
    return datetime.fromtimestamp(time, patient.offset).isoformat(timespec="milliseconds")


def test_every_event_is_valid_and_in_its_canonical_unit() -> None:
    kinds: Counter[str] = Counter()
    for event in simulated().history(7):
        check(orjson.dumps(event), datetime.fromisoformat(event["event_time"]), event["event_type"])
        kinds[event["event_type"]] += 1
        for result in event["payload"].get("measurements", [event["payload"]] if "code" in event["payload"] else []):
            assert BY_CODE[result["code"]].unit == result["unit"]
    assert set(kinds) == set(INGRESS)
    assert kinds["patient-vitals"] > sum(kinds.values()) / 2


def test_events_come_in_time_order_within_their_range_and_are_recorded_after_they_happened() -> None:
    events = list(simulated().history(4))
    times = [datetime.fromisoformat(event["event_time"]) for event in events]
    assert times == sorted(times)
    assert START - timedelta(days=4) <= times[0] < times[-1] < START
    assert all(datetime.fromisoformat(event["recorded_time"]) > time for event, time in zip(events, times, strict=True))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ids() -> None:
    first, again = (orjson.dumps(list(simulated().history(2))) for _ in range(2))
    assert first == again
    ids = {event["event_id"] for event in orjson.loads(first)}
    assert len(ids) == len(orjson.loads(first))
    assert ids.isdisjoint(event["event_id"] for event in simulated(seed=4).history(2))


@pytest.mark.parametrize("change", [
    {"start": START + timedelta(hours=1)}, {"vitals_minutes": 30}, {"prefix": "G"}, {"first_site": 5}, {"shift": 2.0}])
def test_whatever_changes_the_content_changes_the_ids(change: dict[str, object]) -> None:
    until = START + timedelta(hours=4)
    ids = {event["event_id"] for event in simulated().events(until)}
    assert ids
    assert ids.isdisjoint(event["event_id"] for event in simulated(**change).between(START, until))


def test_ranges_that_meet_give_what_the_whole_gives() -> None:
    whole = list(simulated().between(START, START + timedelta(hours=20)))
    cut = START + timedelta(hours=7, minutes=13)
    assert [*simulated().between(START, cut), *simulated().between(cut, START + timedelta(hours=20))] == whole


def test_history_begins_with_each_enrolment() -> None:
    simulation = simulated()
    first: dict[str, str] = {}
    for event in simulation.history(60):
        if event["event_type"] == "demographics":
            first.setdefault(event["patient_id"], event["event_time"])
    joined = [patient for patient in simulation.patients
              if START - timedelta(days=59) < datetime.fromtimestamp(patient.enrolled, UTC)]
    assert len(joined) > 5
    for patient in joined:
        assert datetime.fromisoformat(first[patient.patient_id]).timestamp() == patient.enrolled


def test_the_reported_adverse_events_are_the_true_ones() -> None:
    simulation = simulated(patients=200)
    until = START + timedelta(days=3)
    reported = sorted((event["patient_id"], event["event_time"], event["payload"]["grade"])
                      for event in simulation.events(until) if event["event_type"] == "adverse-events")
    true = sorted((patient.patient_id, text(onset.time, patient), onset.grade)
                  for patient in simulation.patients for onset in simulation.onsets(patient.index, START, until))
    assert reported == true
    assert {2, 3} <= {grade for _, _, grade in true}


def test_patients_have_distinct_pseudonyms_and_two_senders_share_none() -> None:
    producer = {patient.patient_id for patient in simulated(patients=3000).patients}
    generator = {patient.patient_id for patient in simulated(patients=3000, prefix="G", first_site=101).patients}
    assert len(producer) == len(generator) == 3000
    assert producer.isdisjoint(generator)

    assert all(re.match(PATIENT_ID, patient_id) for patient_id in producer | generator)


def test_the_path_of_risk_does_not_depend_on_the_order_of_questions() -> None:
    times = [20500 * 86400 + 5400 * step for step in range(200)]
    forwards, backwards = Path("one"), Path("one")
    ahead = [forwards.risk(time) for time in times]
    behind = [backwards.risk(time) for time in reversed(times)]
    assert ahead == behind[::-1]
    assert max(abs(later - earlier) for earlier, later in itertools.pairwise(ahead)) < 1.5


def test_patients_deteriorate_before_the_event() -> None:
    changes = []
    for number in range(400):
        path = Path(f"patient {number}")
        for day in range(20500, 20515):
            changes += [path.risk(onset.time - LAG_HOURS * 3600) - path.risk(onset.time - 72 * 3600)
                        for onset in path.onsets(day) if onset.grade >= 2]
    assert len(changes) > 100
    assert sum(changes) / len(changes) > 0.5


def test_random_numbers_belong_to_their_key() -> None:
    assert randomness("a", 1).random() == randomness("a", 1).random() != randomness("a", 2).random()


@pytest.mark.parametrize(("change", "words"), [
    ({"start": datetime(2026, 3, 1)}, "time zone"), ({"patients": 0}, "positive"), ({"vitals_minutes": 0}, "positive")])
def test_what_cannot_be_simulated_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        simulated(**change)


def test_a_shift_moves_what_is_measured_and_not_who_is_measured() -> None:
    plain, shifted = simulated(), simulated(shift=3)
    assert [patient.patient_id for patient in plain.patients] == [patient.patient_id for patient in shifted.patients]
    for before, after in zip(plain.patients, shifted.patients, strict=True):
        assert {code: level + 3 for code, level in before.levels.items()} == pytest.approx(dict(after.levels))
