"""HL7 over HTTP, and what of a person ends at the door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from applications.clinical.fhir import resource
from applications.clinical.hl7 import oru_r01
from applications.clinical.hl7.message import Separators
from applications.ingestion.gateway.identifiers import without_identifiers
from applications.ingestion.gateway.reading import Format
from tests.unit.ingestion.gateway_fakes import FHIR, HL7, event, gateway, run

SECRETS = ("Doe", "Jané", "MRN778899", "19500214", "Elm Street", "Mother")


def named(message: bytes, charset: str = "utf-8", field: str = "|", component: str = "^", repetition: str = "~") -> bytes:
    """A message with a name, a birth date, an address, a record number and next of kin in it."""
    lines = message.decode(charset).split("\r")
    place = next(index for index, line in enumerate(lines) if line.startswith("PID"))
    fields = lines[place].split(field)
    fields += [""] * (12 - len(fields))
    fields[3] = f"MRN778899{component}{component}{component}HOSPITAL{component}MR{repetition}{fields[3]}"
    fields[5], fields[7], fields[11] = f"Doe{component}Jané", "19500214", f"12 Elm Street{component}{component}Town"
    lines[place] = field.join(fields)
    lines.insert(place + 1, f"NK1{field}1{field}Doe{component}Mother")
    return "\r".join(lines).encode(charset)


def msa(answer: bytes, codec: str = "utf-8") -> list[str]:
    """The MSA of an acknowledgement."""
    segments = answer.decode(codec).split("\r")
    assert segments[0].startswith("MSH") and "ACK" in segments[0]
    return next(one for one in segments if one.startswith("MSA")).split("|")


def test_aa_once_confirmed_and_again_for_a_resend(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            message = oru_r01([event(), event("lab-results")])
            answer = await door.post("/hl7", message, HL7)
            assert answer.status_code == 202, answer.text
            assert answer.headers["Content-Type"] == "application/hl7-v2"
            control_id = message.split(b"|")[9].decode()
            assert msa(answer.content)[1:3] == ["AA", control_id]
            assert len(door.kafka.sent) == len(door.queue.sent) == 1
            answer = await door.post("/hl7", message, HL7)
            assert answer.status_code == 200 and msa(answer.content)[1] == "AA"
            assert len(door.kafka.sent) == len(door.queue.sent) == 1

    run(scenario())


def test_ids_are_told_in_json_to_whoever_asks_for_json(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            sent = event()
            answer = await door.post("/hl7", oru_r01([sent]), {**HL7, "Accept": "application/json"})
            assert answer.status_code == 202
            assert answer.json() == {"accepted": [{"event_id": sent["event_id"], "status": "accepted"}]}
            answer = await door.post("/hl7", b"no", {**HL7, "Accept": "application/json"})
            assert answer.status_code == 400 and answer.json()["error"] == "unparseable"

    run(scenario())


@pytest.mark.parametrize("body", [b"", b"hello", b"\x00\xff" * 50, b"MSH", b"MSH|^~\\&|A|B\r", b'{"resourceType": "Patient"}'])
def test_ar_and_400_for_what_is_no_hl7(tmp_path: Path, body: bytes) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            answer = await door.post("/hl7", body, HL7)
            assert answer.status_code == 400 and msa(answer.content)[1] == "AR"
            assert door.kafka.letters == []

    run(scenario())


def test_ar_for_another_message_and_for_bytes_that_are_not_of_the_named_character_set(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            message = oru_r01([event()])
            for wrong in (message.replace(b"ORU^R01^ORU_R01", b"ADT^A01^ADT_A01"),
                          message.replace(b"monitor-7", b"monitor-\xe9")):
                assert wrong != message
                answer = await door.post("/hl7", wrong, HL7)
                assert answer.status_code == 400 and msa(answer.content)[1] == "AR"

    run(scenario())


def test_ae_and_422_for_an_invalid_message_with_its_reasons(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            lab = event("lab-results", payload={"code": "2823-3", "value": 4.2, "unit": "mg/dL"})
            message = oru_r01([lab])
            answer = await door.post("/hl7", message, HL7)
            assert answer.status_code == 422 and msa(answer.content)[1] == "AE"
            assert b"\rERR|" in answer.content and b"mmol/L" in answer.content
            [(reasons, raw)] = door.kafka.letters
            assert raw == message and [reason.code for reason in reasons] == ["unit-mismatch"]

    run(scenario())


def test_ae_and_503_while_the_broker_is_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            door.queue.fault = "away"
            answer = await door.post("/hl7", oru_r01([event("lab-results")]), HL7)
            assert answer.status_code == 503 and msa(answer.content)[1] == "AE"
            assert "Retry-After" in answer.headers

    run(scenario())


def test_non_ascii_names_in_any_declared_character_set_are_read_and_not_passed_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            for charset, codec in (("UNICODE UTF-8", "utf-8"), ("8859/1", "iso8859-1")):
                answer = await door.post("/hl7", named(oru_r01([event()], charset=charset), codec), HL7)
                assert answer.status_code == 202, answer.text
            for one in door.kafka.sent:
                assert not any(secret in one.value.decode() for secret in SECRETS)
            assert len(door.kafka.sent) == 2

    run(scenario())


def test_identifiers_of_a_refused_message_do_not_reach_quarantine(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            odd = Separators("#", "@", "!", "?", "%")
            wrong = event("lab-results", payload={"code": "2823-3", "value": 4.2, "unit": "mg/dL"})
            for message in (named(oru_r01([wrong])), named(oru_r01([wrong], separators=odd), "utf-8", "#", "@", "!")):
                assert (await door.post("/hl7", message, HL7)).status_code == 422
            for _, raw in door.kafka.letters:
                text = raw.decode()
                assert not any(secret in text for secret in SECRETS)
                # What was wrong, and whose it is by pseudonym, can still be seen.
                assert "PT0000A1B2" in text and "mg/dL" in text and wrong["event_id"] in text and "NK1" in text
            assert len(door.kafka.letters) == 2

    run(scenario())


def test_identifiers_of_a_refused_resource_do_not_reach_quarantine(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            patient = resource(event("demographics"))
            patient["name"] = [{"family": "Doe", "given": ["Jané"]}]
            patient["birthDate"] = "1950-02-14"
            patient["address"] = [{"line": ["12 Elm Street"]}]
            patient["text"] = {"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'>Jané Doe</div>"}
            patient.setdefault("identifier", []).append({"system": "urn:hospital", "value": "MRN778899"})
            lab = resource(event("lab-results", payload={"code": "2823-3", "value": 4.2, "unit": "mg/dL"}))
            lab["subject"]["display"] = "Jané Doe"
            body = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient}, {"resource": lab}]}
            assert (await door.post("/fhir", body, FHIR)).status_code == 422
            [(_, raw)] = door.kafka.letters
            assert not any(secret in raw.decode() for secret in (*SECRETS, "1950-02-14"))
            assert "PT0000A1B2" in raw.decode() and "mg/dL" in raw.decode()

    run(scenario())


def test_a_body_without_identifiers_is_kept_byte_for_byte() -> None:
    for form, body in ((Format.HL7, oru_r01([event(), event("lab-results")]).replace(b"\r", b"\r\n")),
                       (Format.FHIR, json.dumps(resource(event()), indent=3).encode()),
                       (Format.JSON, b' {"name": "kept as it came"} ')):
        assert without_identifiers(form, body) == body
