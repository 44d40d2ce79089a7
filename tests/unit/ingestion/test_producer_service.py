"""Rules: the producer sends its history once, keeps its rate, counts to its total, and never reuses an id for another content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from applications.clinical.models import INGRESS
from applications.clinical.reasons import Invalid
from applications.clinical.simulation import read_journal
from applications.clinical.validation import check
from applications.ingestion.producer import ProducerSettings, Production
from applications.ingestion.producer.sender import Sender
from applications.ingestion.simulated.meter import Meter
from applications.ingestion.simulated.state import BadState, State, begin, save
from tests.unit.ingestion.broker_fake import Broker

FAULTS = {"fault_duplicate": 0.05, "fault_late": 0.05, "fault_malformed": 0.05, "fault_wrong_unit": 0.05}


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def make(broker: Broker, tmp_path: Path) -> Callable[..., Production]:
    def made(stopped: Callable[[], bool] = lambda: False, **changes: Any) -> Production:
        given = {"kafka_bootstrap": "kafka:29092", "rate": 0, "patients": 20, "total_events": 300, "history_rate": 0,
                 "stop_seconds": 2, "state_path": tmp_path / "state.json", "journal_path": tmp_path / "journal", **changes}
        return Production(ProducerSettings(**given), stopped, partial(Sender, make=broker.client))
    return made


def ids(broker: Broker) -> Counter[str]:
    return Counter(orjson.loads(value)["event_id"] for _, _, value in broker.records)


def contents(broker: Broker) -> dict[str, set[bytes]]:
    found: dict[str, set[bytes]] = {}
    for _, _, value in broker.records:
        found.setdefault(orjson.loads(value)["event_id"], set()).add(value)
    return found


def test_it_sends_its_total_to_the_topics_of_their_types_keyed_by_patient(make: Callable[..., Production], broker: Broker) -> None:
    summary = make().run()
    assert (summary.sent, summary.confirmed, summary.unconfirmed) == (300, 300, 0)
    assert {topic for topic, _, _ in broker.records} == set(INGRESS)
    for topic, key, value in broker.records:
        event = check(value, datetime.now(UTC), topic)
        assert event.patient_id == key


def test_the_journal_predicts_what_is_valid_in_kafka(make: Callable[..., Production], broker: Broker, tmp_path: Path) -> None:
    summary = make(total_events=1000, **FAULTS).run()
    entries = read_journal(tmp_path / "journal")
    assert len(entries) == summary.confirmed == len(broker.records)
    assert Counter(entry.kind for entry in entries if entry.kind) == summary.injected
    valid: Counter[str] = Counter()
    for topic, _, value in broker.records:
        try:
            valid[str(check(value, datetime.now(UTC), topic).event_id)] += 1
        except Invalid:
            continue
    assert valid == Counter(entry.event_id for entry in entries if entry.kind not in ("malformed", "wrong-unit"))
    assert len({entry.event_id for entry in entries}) == 1000


def test_a_restart_goes_on_with_new_ids_to_the_same_total(make: Callable[..., Production], broker: Broker) -> None:
    first = make(lambda: len(broker.records) >= 100, rate=3000, total_events=100_000).run()
    assert 100 <= first.confirmed < 100_000
    total = first.confirmed + 150
    assert make(total_events=total).run().confirmed == 150
    assert set(ids(broker).values()) == {1}
    assert make(total_events=total).run().sent == 0


def test_a_kill_cannot_make_two_contents_of_one_id(make: Callable[..., Production], broker: Broker, tmp_path: Path) -> None:
    for _ in range(3):
        make(history_days=2, total_events=200, **FAULTS | {"fault_malformed": 0.0}).run()
        # A kill before the next save: all but the number of the run is forgotten.
        state = begin(tmp_path / "state.json", 1)
        save(tmp_path / "state.json", State(seed=1, start=state.start, run=state.run))
    found = contents(broker)
    assert len(found) > 600
    assert max(len(records) for records in found.values()) == 1
    assert max(ids(broker).values()) >= 3


def test_the_history_is_back_dated_valid_and_sent_once(make: Callable[..., Production], broker: Broker) -> None:
    first = make(history_days=3).run()
    assert first.sent > 20 * 24 * 3
    times = [datetime.fromisoformat(orjson.loads(value)["event_time"]) for _, _, value in broker.records]
    assert (times[-1] - times[0]).total_seconds() == pytest.approx(3 * 86400, rel=0.05)
    for topic, _, value in broker.records:
        check(value, datetime.now(UTC), topic)
    sent = len(broker.records)
    make(history_days=3, total_events=310).run()
    assert len(broker.records) - sent == 10
    assert set(ids(broker).values()) == {1}


def test_an_interrupted_history_goes_on_with_the_day_that_was_cut_off(make: Callable[..., Production], broker: Broker) -> None:
    make(lambda: len(broker.records) > 3000, patients=60, history_days=3).run()
    assert 3000 < len(broker.records) < 2 * 60 * 24 * 1.5
    make(patients=60, history_days=3).run()
    repeated = sum(count == 2 for count in ids(broker).values())
    assert 0 < repeated < 60 * 24 * 1.5
    assert max(len(records) for records in contents(broker).values()) == 1
    assert len(ids(broker)) > 3 * 60 * 24


def test_nothing_is_lost_when_the_broker_goes_away_and_comes_back(make: Callable[..., Production], broker: Broker) -> None:
    def stopped() -> bool:
        broker.up = not 100 < len(broker.records) < 150 or next(pauses, None) is None
        return False

    pauses = iter(range(30))
    broker.failing = 7
    summary = make(total_events=500, rate=2000).run()
    assert summary.unconfirmed == 0
    assert len(ids(broker)) == 500


def test_asked_to_stop_while_the_broker_is_away_it_ends_and_says_what_is_unconfirmed(
        make: Callable[..., Production], broker: Broker, tmp_path: Path) -> None:
    broker.up = False
    calls = iter(range(10**9))
    summary = make(lambda: next(calls) > 50, rate=500, stop_seconds=0.2, total_events=0).run()
    assert summary.sent == summary.unconfirmed > 0
    assert summary.confirmed == 0
    assert read_journal(tmp_path / "journal") == []


def test_what_a_fault_holds_back_is_sent_before_the_end(make: Callable[..., Production], broker: Broker) -> None:
    summary = make(lambda: len(broker.records) > 50, rate=1000, total_events=0, fault_late=1.0).run()
    assert summary.injected == {"late": summary.sent}
    assert len(broker.records) == summary.sent > 100


def test_health_tells_the_broker_and_the_rate(make: Callable[..., Production], broker: Broker) -> None:
    production = make()
    assert {name: check() for name, check in production.checks.items()} == {"kafka": None, "rate": None}
    broker.up = False
    assert production.checks["kafka"]() is not None


def test_the_meter_tells_a_rate_that_is_not_reached() -> None:
    now = 0.0
    meter = Meter(100, lambda: now)
    for second in range(40):
        now = float(second)
        meter.sample(second * 5)
        if second < 10:
            assert meter.check() is None
    assert meter.rate == pytest.approx(5)
    assert "5.0 messages a second are confirmed, 100 are asked for" in str(meter.check())
    for second in range(40, 80):
        now = float(second)
        meter.sample(200 + (second - 40) * 100)
    assert meter.check() is None
    now = 120.0
    assert meter.check() is not None


def test_a_state_that_is_none_is_refused_with_what_to_do(make: Callable[..., Production], tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(BadState, match="remove it"):
        make()
    with pytest.raises(BadState, match="volume"):
        make(state_path=tmp_path / "missing" / "state.json")


def test_another_seed_is_another_simulation(make: Callable[..., Production], broker: Broker) -> None:
    make().run()
    before = {key for _, key, _ in broker.records}
    make(seed=2).run()
    assert {key for _, key, _ in broker.records[300:]}.isdisjoint(before)


@pytest.mark.parametrize("wrong", [
    {"rate": -1}, {"patients": 0}, {"kafka_bootstrap": ""}, {"fault_late": 0.7, "fault_duplicate": 0.7}, {"fault_late": -0.1},
    {"history_days": 400}, {"patient_prefix": "ab"}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ProducerSettings(**{"kafka_bootstrap": "kafka:29092", **wrong})
