"""Rules: every form has its share of the turns, carries only what it has a place for, and reads back as the events that went in."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from applications.clinical.simulation import FaultRates, Faults, Message, Simulation
from applications.ingestion.generator.forms import Batcher, Body, Form, Turns
from tests.unit.ingestion.gateway_double import PARSERS

MEDIA = {Form.FHIR: "application/fhir+json", Form.HL7: "application/hl7-v2", Form.MLLP: "application/hl7-v2",
         Form.JSON: "application/json", Form.NDJSON: "application/x-ndjson"}
EVENTS = list(Simulation(5, 30, datetime(2026, 3, 1, tzinfo=UTC)).history(0.5))
EQUAL = dict.fromkeys(Form, 1.0)


def bodies(messages: list[Message], shares: dict[Form, float], batch: int = 4) -> list[Body]:
    batcher = Batcher(shares, batch)
    return [*(body for message in messages for body in batcher.add(message)), *batcher.aged(0)]


@pytest.fixture(scope="module")
def clean() -> list[Message]:
    return list(Faults(FaultRates(), 1).wrap(EVENTS))


def test_turns_follow_the_shares_and_are_spread() -> None:
    turns = Turns({Form.FHIR: 3, Form.HL7: 1, Form.MLLP: 0, Form.JSON: 2, Form.NDJSON: 0})
    chosen = [turns.next(Form) for _ in range(60)]
    assert Counter(chosen) == {Form.FHIR: 30, Form.JSON: 20, Form.HL7: 10}
    assert all(set(chosen[at:at + 6]) == {Form.FHIR, Form.JSON, Form.HL7} for at in range(54))


def test_what_no_form_with_a_share_can_carry_goes_as_native_json() -> None:
    assert Turns({Form.HL7: 1.0}).next((Form.FHIR, Form.NDJSON)) is Form.JSON


def test_every_message_is_in_one_body_and_every_form_is_used(clean: list[Message]) -> None:
    found = bodies(clean, EQUAL)
    assert Counter(message.event_id for body in found for message in body.messages) == {message.event_id: 1 for message in clean}
    assert {body.form for body in found} == set(Form)
    assert {len(body.messages) for body in found if body.form in (Form.FHIR, Form.NDJSON)} >= {4}


@pytest.mark.parametrize("form", Form)
def test_a_body_reads_back_as_the_events_that_went_in(form: Form, clean: list[Message]) -> None:
    found = [body for body in bodies(clean, {form: 1.0}) if body.form is form]
    assert found
    for body in found:
        for read, sent in zip(PARSERS[MEDIA[form]](body.content), body.messages, strict=True):
            assert sent.event is not None
            assert read["event_id"] == sent.event_id
            assert read["event_type"] == sent.topic
            assert read["patient_id"] == sent.key
            assert datetime.fromisoformat(read["event_time"]) == datetime.fromisoformat(sent.event["event_time"])
            payload = sent.event["payload"]
            assert read["payload"].get("measurements") == payload.get("measurements")
            assert read["payload"].get("value") == payload.get("value")


def test_hl7_carries_vitals_and_laboratory_results_only(clean: list[Message]) -> None:
    for body in bodies(clean, {Form.HL7: 1.0, Form.MLLP: 1.0, Form.FHIR: 1.0}):
        if body.form in (Form.HL7, Form.MLLP):
            assert {message.topic for message in body.messages} <= {"patient-vitals", "lab-results"}


def test_what_must_be_refused_travels_alone_as_native_json() -> None:
    spoiled = list(Faults(FaultRates(wrong_unit=0.3, malformed=0.3), 1).wrap(EVENTS))
    found = bodies(spoiled, EQUAL)
    refused = [body for body in found if any(message.refused for message in body.messages)]
    assert refused
    assert {(body.form, len(body.messages)) for body in refused} == {(Form.JSON, 1)}
    assert all(body.content == body.messages[0].value for body in refused)


def test_two_of_an_id_do_not_share_a_body(clean: list[Message]) -> None:
    for body in bodies([message for message in clean[:40] for _ in range(2)], {Form.FHIR: 1.0, Form.NDJSON: 1.0}):
        assert len({message.event_id for message in body.messages}) == len(body.messages)


def test_a_body_does_not_wait_long_to_be_full(clean: list[Message]) -> None:
    now = 0.0
    batcher = Batcher({Form.NDJSON: 1.0}, 10, lambda: now)
    assert list(batcher.add(clean[0])) == []
    now = 0.9
    assert list(batcher.aged()) == []
    now = 1.0
    assert [len(body.messages) for body in batcher.aged()] == [1]
    assert list(batcher.aged(0)) == []
