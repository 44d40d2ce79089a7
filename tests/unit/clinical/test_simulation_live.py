"""Rules: live events are of now and valid, every type comes early, ids are never reused over runs, and the pace is kept."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from applications.clinical.models import INGRESS
from applications.clinical.simulation import Live, Pace, Simulation
from applications.clinical.terminology import BY_CODE
from applications.clinical.validation import check

START = datetime(2026, 3, 1, tzinfo=UTC)


class Clock:
    """A clock that moves by a step whenever it is read."""

    def __init__(self, now: float, step: float = 0.0) -> None:
        self.now = now
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def live(run: int = 0, patients: int = 50, step: float = 0.2, since: float | None = None) -> tuple[Live, Clock]:
    clock = Clock(START.timestamp() + 100, step)
    return Live(Simulation(3, patients, START), run, since, clock), clock


def test_events_are_valid_and_of_now() -> None:
    stream, clock = live()
    for event in itertools.islice(stream, 500):
        now = datetime.fromtimestamp(clock.now, UTC)
        check(orjson.dumps(event), now, event["event_type"])
        assert timedelta(0) <= now - datetime.fromisoformat(event["event_time"]) < timedelta(minutes=3)


def test_every_type_and_a_critical_result_come_early_and_vitals_dominate() -> None:
    stream, _ = live()
    events = list(itertools.islice(stream, 400))
    assert {event["event_type"] for event in events[:200]} == set(INGRESS)
    kinds = Counter(event["event_type"] for event in events[100:])
    assert kinds["patient-vitals"] > 0.8 * 300
    criticals = [event for event in events if event["event_type"] == "lab-results" and
                 event["payload"]["value"] not in BY_CODE[event["payload"]["code"]].critical]  # type: ignore[operator]
    assert criticals
    assert all(event["payload"]["priority"] == "stat" for event in criticals)


def test_every_patient_is_introduced_once_in_the_first_run_and_measured() -> None:
    stream, _ = live()
    events = list(itertools.islice(stream, 100))
    introduced = [event["patient_id"] for event in events[::2]]
    assert len(set(introduced)) == 50
    measured = {event["patient_id"] for event in itertools.islice(stream, 150) if event["event_type"] == "patient-vitals"}
    assert measured == set(introduced)


def test_runs_share_no_id() -> None:
    first, second = ({event["event_id"] for event in itertools.islice(live(run)[0], 300)} for run in (0, 1))
    assert len(first) == len(second) == 300
    assert first.isdisjoint(second)


def test_severe_events_come_when_they_are_due_and_once_over_a_restart() -> None:
    simulation = Simulation(3, 400, START)
    begin, step = START.timestamp(), 30.0
    due = {report["event_id"]: report for patient in simulation.patients
           for _, report in simulation.reports(patient, begin, begin + 6000)}
    assert any(report["payload"]["grade"] >= 2 for report in due.values())
    first = Live(simulation, 0, begin, Clock(begin, step))
    second = Live(simulation, 1, begin + 3000, Clock(begin + 3600, step))
    came = [event for event in [*itertools.islice(first, 100), *itertools.islice(second, 100)] if event["event_id"] in due]
    assert sorted(event["event_id"] for event in came) == sorted(due)
    assert all(event == due[event["event_id"]] for event in came)


def test_reports_older_than_an_hour_are_left_out() -> None:
    simulation = Simulation(3, 400, START)
    now = START.timestamp() + 10 * 86400
    events = list(itertools.islice(Live(simulation, 1, START.timestamp(), Clock(now, 2)), 60))
    assert min(datetime.fromisoformat(event["event_time"]).timestamp() for event in events) > now - 2 * 3600


@pytest.mark.parametrize("rate", [0.5, 100, 5000])
def test_the_pace_does_not_drift(rate: float) -> None:
    clock = Clock(0)
    pace = Pace(rate, clock)
    granted = 0
    for step in range(1, 5001):
        clock.now = step * 0.0137 + (step % 7) * 0.001
        granted += pace.due(10**9)
        assert granted - 1 <= clock.now * rate + 1e-6 < granted + 1


def test_a_stall_is_caught_up_by_two_seconds_at_most() -> None:
    clock = Clock(0)
    pace = Pace(100, clock)
    pace.due(10**9)
    clock.now = 60
    assert pace.due(10**9) == 200
    clock.now = 61
    assert pace.due(10**9) == pytest.approx(100, abs=1)


def test_what_is_asked_for_bounds_what_is_granted() -> None:
    clock = Clock(0)
    pace = Pace(100, clock)
    clock.now = 1
    assert pace.due(30) == 30
    assert pace.due(1000) == 71
    assert pace.due(1000) == 0
    assert pace.rest > 0
    assert Pace(0, clock).due(500) == 500


def test_a_negative_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="rate"):
        Pace(-1)
