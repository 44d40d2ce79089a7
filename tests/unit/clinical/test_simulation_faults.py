"""Rules: faults strike at their rates, each does to a message exactly what its kind says, and the ledger tells the whole truth."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from applications.clinical.reasons import Invalid, ReasonCode
from applications.clinical.silver import row
from applications.clinical.simulation import (
    FaultKind,
    FaultRates,
    Faults,
    Injected,
    Journal,
    Message,
    Simulation,
    read_journal,
)
from applications.clinical.simulation.risk import randomness
from applications.clinical.simulation.spoiling import MALFORMED, alternate, wrong
from applications.clinical.terminology import ANALYTES
from applications.clinical.units import UnitMismatch, to_canonical
from applications.clinical.validation import check

START = datetime(2026, 3, 1, tzinfo=UTC)
RATES = FaultRates(duplicate=0.03, late=0.02, out_of_order=0.02, alternate_unit=0.03, wrong_unit=0.02, malformed=0.03)
EVENTS = list(Simulation(5, 60, START).history(3))


@pytest.fixture(scope="module")
def ledger() -> list[Injected]:
    return []


@pytest.fixture(scope="module")
def messages(ledger: list[Injected]) -> list[Message]:
    return list(Faults(RATES, 1, ledger.append).wrap(EVENTS))


def verdict(message: Message) -> ReasonCode | None:
    try:
        check(message.value, START, message.topic)
    except Invalid as error:
        return error.code
    return None


def test_the_ledger_predicts_silver_and_quarantine_exactly(messages: list[Message], ledger: list[Injected]) -> None:
    refused = {injected.event_id for injected in ledger if injected.kind in ("wrong-unit", "malformed")}
    silver = {event["event_id"] for event in EVENTS} - refused
    verdicts = {message.event_id: verdict(message) for message in messages}
    assert {event_id for event_id, code in verdicts.items() if code is None} == silver
    assert {event_id for event_id, code in verdicts.items() if code is not None} == refused
    assert refused
    assert all(message.refused == (verdicts[message.event_id] is not None) for message in messages)


def test_each_kind_strikes_at_its_rate(ledger: list[Injected]) -> None:
    counts = Counter(injected.kind for injected in ledger)
    for kind in FaultKind:
        rate = getattr(RATES, kind.name.lower())
        possible = sum("measurements" in event["payload"] or "code" in event["payload"] for event in EVENTS) \
            if "unit" in kind else len(EVENTS)
        assert counts[kind] == pytest.approx(rate * possible, rel=0.35), kind


def test_only_duplicates_add_messages_and_repeat_the_bytes(messages: list[Message], ledger: list[Injected]) -> None:
    duplicates = Counter(injected.event_id for injected in ledger if injected.kind == "duplicate")
    seen: dict[str, list[bytes]] = {}
    for message in messages:
        seen.setdefault(message.event_id, []).append(message.value)
    assert len(seen) == len(EVENTS)
    assert {event_id for event_id, values in seen.items() if len(values) == 2} == set(duplicates)
    assert all(len(set(values)) == 1 for values in seen.values())


def test_late_events_happened_hours_before_they_were_recorded(messages: list[Message]) -> None:
    late = [message.event for message in messages if message.kind is FaultKind.LATE]
    original = {event["event_id"]: event for event in EVENTS}
    assert late
    for event in late:
        assert event is not None
        before = original[event["event_id"]]
        gap = datetime.fromisoformat(before["event_time"]) - datetime.fromisoformat(event["event_time"])
        assert timedelta(0) <= gap <= timedelta(hours=40)
        assert event["recorded_time"] == before["recorded_time"]
    assert any(orjson.loads(orjson.dumps(event)) != original[event["event_id"]] for event in late if event)


def test_held_back_messages_come_after_later_ones(messages: list[Message]) -> None:
    place = {event["event_id"]: number for number, event in enumerate(EVENTS)}
    overtaken = 0
    highest = -1
    for message in messages:
        overtaken += message.kind is FaultKind.OUT_OF_ORDER and place[message.event_id] < highest
        highest = max(highest, place[message.event_id])
    assert overtaken >= 0.9 * sum(message.kind is FaultKind.OUT_OF_ORDER for message in messages) > 0


def test_other_units_are_converted_to_the_value_that_was_meant(messages: list[Message]) -> None:
    original = {event["event_id"]: event for event in EVENTS}
    changed = [message for message in messages if message.kind is FaultKind.ALTERNATE_UNIT]
    assert changed
    for message in changed:
        meant = row(check(orjson.dumps(original[message.event_id]), START))
        found = row(check(message.value, START))
        assert found.pop("original")
        meant.pop("original")
        assert {name: value for name, value in found.items() if isinstance(value, float)} == pytest.approx(
            {name: value for name, value in meant.items() if isinstance(value, float)}, rel=1e-4)
        assert {name: value for name, value in found.items() if not isinstance(value, float)} == \
            {name: value for name, value in meant.items() if not isinstance(value, float)}


@pytest.mark.parametrize("analyte", ANALYTES, ids=lambda analyte: analyte.column)
def test_a_wrong_unit_is_wrong_and_another_unit_is_right_for_every_analyte(analyte: object) -> None:
    event = {"payload": {"code": analyte.code, "value": 40.0, "unit": analyte.unit}}  # type: ignore[attr-defined]
    spoiled = wrong(event, randomness(1))
    assert spoiled is not None
    with pytest.raises(UnitMismatch):
        to_canonical(spoiled["payload"]["code"], spoiled["payload"]["value"], spoiled["payload"]["unit"])
    changed = alternate(event, randomness(1))
    assert (changed is not None) == bool(analyte.also)  # type: ignore[attr-defined]
    if changed is not None:
        payload = changed["payload"]
        assert to_canonical(payload["code"], payload["value"], payload["unit"]).value == pytest.approx(40, rel=1e-5)


@pytest.mark.parametrize("detail", MALFORMED)
def test_every_way_to_be_malformed_is_refused_for_every_type_of_event(detail: str) -> None:
    draw = randomness(detail)
    firsts = {event["event_type"]: event for event in EVENTS}
    assert len(firsts) == 5
    for event in firsts.values():
        before = orjson.dumps(event)
        for _ in range(30):
            message = Message(event["event_id"], event["event_type"], "", MALFORMED[detail](event, draw), None,
                              FaultKind.MALFORMED, detail)
            code = verdict(message)
            assert code is not None
            assert message.unreadable == (code is ReasonCode.NOT_JSON)
        assert orjson.dumps(event) == before


def test_a_seed_repeats_the_faults(messages: list[Message]) -> None:
    assert [message.value for message in Faults(RATES, 1).wrap(EVENTS)] == [message.value for message in messages]
    assert [message.value for message in Faults(RATES, 2).wrap(EVENTS)] != [message.value for message in messages]


def test_an_event_sent_again_among_others_meets_the_same_fault(messages: list[Message]) -> None:
    again = {message.event_id: message.value for message in Faults(RATES, 1).wrap(EVENTS[700::3])}
    first = {message.event_id: message.value for message in messages}
    assert len(again) > 500
    assert all(first[event_id] == value for event_id, value in again.items())


def test_without_rates_events_pass_untouched() -> None:
    assert [message.value for message in Faults(FaultRates(), 1).wrap(EVENTS)] == [orjson.dumps(event) for event in EVENTS]


@pytest.mark.parametrize("rates", [{"late": -0.1}, {"late": 0.6, "malformed": 0.5}])
def test_impossible_rates_are_refused(rates: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        FaultRates(**rates)


def test_the_journal_gives_back_what_was_confirmed_and_survives_a_cut_line(tmp_path: Path, messages: list[Message]) -> None:
    path = tmp_path / "journal"
    some = [message for message in messages if message.kind is not None][:20]
    with Journal(path) as journal:
        for message in some:
            journal.confirmed(message, "202")
    with path.open("ab") as file:
        file.write(b'{"event_id": "cut')
    entries = read_journal(path)
    assert [(entry.event_id, entry.kind, entry.detail, entry.status) for entry in entries] == \
        [(message.event_id, message.kind, message.detail, "202") for message in some]
