"""Every answer of the gateway's contract over HTTP: status, body, and what was sent on or put into quarantine."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest

from applications.clinical.fhir import bundle, resource
from tests.unit.ingestion.gateway_fakes import FHIR, JSON, NDJSON, event, gateway, lines, run

INGRESS = ("patient-vitals", "lab-results", "medications", "adverse-events", "demographics")


@pytest.mark.parametrize("kind", INGRESS)
def test_202_names_the_event_once_its_broker_has_confirmed(tmp_path: Path, kind: str) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            sent = event(kind)
            answer = await door.post("/events", sent)
            assert answer.status_code == 202
            assert answer.json() == {"accepted": [{"event_id": sent["event_id"], "status": "accepted"}]}
            way, other = (door.queue, door.kafka) if kind == "lab-results" else (door.kafka, door.queue)
            assert [(str(one.event_id), one.event_type, one.patient_id) for one in way.sent] == [
                (sent["event_id"], kind, "PT0000A1B2")]
            assert other.sent == []

    run(scenario())


def test_native_events_are_sent_on_byte_for_byte(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            body = json.dumps({**event(), "unknown_to_us": {"kept": [1.50, "é"]}}, ensure_ascii=False, indent=1).encode()
            assert (await door.post("/events", body)).status_code == 202
            assert door.kafka.sent[0].value == body

    run(scenario())


def test_urgent_and_critical_results_take_the_priority_queue(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            for payload in ({"code": "2823-3", "value": 4.2, "unit": "mmol/L"},
                            {"code": "2823-3", "value": 4.2, "unit": "mmol/L", "priority": "stat"},
                            {"code": "2823-3", "value": 6.9, "unit": "mmol/L"},
                            {"code": "14682-9", "value": 900.0, "unit": "umol/L"}):
                assert (await door.post("/events", event("lab-results", payload=payload))).status_code == 202
            assert [one.routing_key for one in door.queue.sent] == [
                "clinical.lab-results", "clinical.priority", "clinical.priority", "clinical.priority"]

    run(scenario())


def test_200_for_an_event_that_was_taken_before_and_nothing_is_sent_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            sent = event()
            assert (await door.post("/events", sent)).status_code == 202
            again = await door.post("/events", sent)
            assert again.status_code == 200
            assert again.json() == {"accepted": [{"event_id": sent["event_id"], "status": "repeated"}]}
            assert len(door.kafka.sent) == 1

    run(scenario())


def test_ids_are_remembered_over_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        sent = event()
        async with gateway(tmp_path) as door:
            assert (await door.post("/events", sent)).status_code == 202
        async with gateway(tmp_path) as door:
            assert (await door.post("/events", sent)).status_code == 200
            assert door.kafka.sent == []

    run(scenario())


def test_a_batch_tells_of_each_event_and_is_202_when_one_is_new(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            old, new, lab = event(), event(), event("lab-results")
            await door.post("/events", old)
            answer = await door.post("/events", lines(old, new, lab, new), NDJSON)
            assert answer.status_code == 202
            assert [(one["event_id"], one["status"]) for one in answer.json()["accepted"]] == [
                (old["event_id"], "repeated"), (new["event_id"], "accepted"), (lab["event_id"], "accepted"),
                (new["event_id"], "repeated")]
            assert len(door.kafka.sent) == 2 and len(door.queue.sent) == 1

    run(scenario())


def test_a_large_batch_is_taken_whole_and_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path, max_body_bytes=2_000_000) as door:
            sent = [event() for _ in range(1500)]
            answer = await door.post("/events", lines(*sent), NDJSON)
            assert answer.status_code == 202
            assert [str(one.event_id) for one in door.kafka.sent] == [one["event_id"] for one in sent]
            assert (await door.post("/events", lines(*sent), NDJSON)).status_code == 200

    run(scenario())


def test_422_names_every_reason_by_field_and_the_body_is_in_quarantine(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            wrong = event("lab-results", patient_id="Jane Doe", payload={"code": "2823-3", "value": "high", "unit": "mmol/L"})
            body = json.dumps(wrong).encode()
            answer = await door.post("/events", body)
            assert answer.status_code == 422
            assert {(one["code"], one["field"]) for one in answer.json()["reasons"]} == {
                ("invalid-value", "patient_id"), ("wrong-type", "payload.value")}
            [(reasons, raw)] = door.kafka.letters
            assert raw == body
            assert [one.as_dict() for one in reasons] == answer.json()["reasons"]
            assert door.queue.sent == []

    run(scenario())


def test_one_invalid_event_refuses_its_whole_batch(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            good, bad, worse = event(), event(site_id="here"), event("adverse-events")
            worse["payload"]["grade"] = 0
            answer = await door.post("/events", lines(good, bad, worse), NDJSON)
            assert answer.status_code == 422
            assert {one["field"] for one in answer.json()["reasons"]} == {"events[1].site_id", "events[2].payload.grade"}
            assert door.kafka.sent == [] and len(door.kafka.letters) == 1
            assert (await door.post("/events", good)).status_code == 202

    run(scenario())


@pytest.mark.parametrize("body", [b"3", b"[]", b'"text"', b"null", b'{"event_type": ["patient-vitals"]}'])
def test_json_that_is_no_event_is_422(tmp_path: Path, body: bytes) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            assert (await door.post("/events", body)).status_code == 422

    run(scenario())


def test_alerts_are_raised_inside_and_never_taken_from_outside(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            answer = await door.post("/events", event("clinical-alerts"))
            assert answer.status_code == 422
            assert answer.json()["reasons"][0]["code"] == "unknown-event-type"

    run(scenario())


@pytest.mark.parametrize(("path", "headers", "body"), [
    ("/events", JSON, b""), ("/events", JSON, b"{"), ("/events", JSON, b'{"a": NaN}'), ("/events", JSON, b'"\xff\xfe"'),
    ("/events", JSON, b"[" * 50_000), ("/events", JSON, b'"\\ud800"'), ("/events", NDJSON, b'{"a": 1}\n{"a": \n'),
    ("/fhir", FHIR, b""), ("/fhir", FHIR, b"{"), ("/fhir", FHIR, b"[]"), ("/fhir", FHIR, b'{"resourceType": "Kettle"}')])
def test_400_for_what_cannot_be_parsed_and_nothing_is_stored(tmp_path: Path, path: str, headers: dict[str, str],
                                                             body: bytes) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            answer = await door.post(path, body, headers)
            assert answer.status_code == 400
            assert answer.json()["error"] == "unparseable"
            assert door.kafka.sent == [] and door.kafka.letters == []

    run(scenario())


def test_a_batch_without_events_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            answer = await door.post("/events", b"\n \n", NDJSON)
            assert answer.status_code == 422 and answer.json()["reasons"]

    run(scenario())


@pytest.mark.parametrize("kind", INGRESS)
def test_fhir_resources_are_taken_as_events(tmp_path: Path, kind: str) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            sent = event(kind)
            answer = await door.post("/fhir", resource(sent), FHIR)
            assert answer.status_code == 202, answer.text
            assert answer.json()["accepted"] == [{"event_id": sent["event_id"], "status": "accepted"}]
            [on_its_way] = door.queue.sent if kind == "lab-results" else door.kafka.sent
            assert json.loads(on_its_way.value)["event_type"] == kind

    run(scenario())


def test_a_fhir_bundle_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            good = bundle([event(kind) for kind in INGRESS])
            answer = await door.post("/fhir", good, FHIR)
            assert answer.status_code == 202, answer.text
            assert len(answer.json()["accepted"]) == len(INGRESS)
            bad = bundle([event(), event("lab-results", payload={"code": "2823-3", "value": 4.2, "unit": "mg/dL"})])
            answer = await door.post("/fhir", bad, FHIR)
            assert answer.status_code == 422
            assert [one["code"] for one in answer.json()["reasons"]] == ["unit-mismatch"]
            assert len(door.kafka.sent) + len(door.queue.sent) == len(INGRESS)
            assert door.kafka.letters[0][1] == json.dumps(bad).encode()

    run(scenario())


def test_other_paths_and_methods_are_refused_in_the_same_shape(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            assert (await door.client.get("/nothing")).status_code == 404
            answer = await door.client.put("/events")
            assert answer.status_code == 405 and answer.headers["Allow"] == "POST"
            assert set(answer.json()) == {"error", "message"}

    run(scenario())


def test_answers_hold_ids_in_their_usual_form_however_they_were_written(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            sent = event()
            assert (await door.post("/events", {**sent, "event_id": sent["event_id"].upper()})).status_code == 202
            answer = await door.post("/events", {**sent, "event_id": UUID(sent["event_id"]).hex})
            assert answer.status_code == 200
            assert answer.json()["accepted"][0]["event_id"] == sent["event_id"]

    run(scenario())
