"""Rules: every message is answered, garbage too; the answer goes back the way it came and in the sender's own terms."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applications.clinical import hl7
from applications.clinical.hl7.message import CHARSETS
from applications.clinical.reasons import Invalid, Reason, ReasonCode, Unparseable
from tests.unit.clinical.contract_events import BOUNDED, sample

VISIT = sample("oru-visit-utf8.hl7").replace(b"\n", b"\r")


def segments(answer: bytes, charset: str = "utf-8", separator: str = "|") -> list[list[str]]:
    text = answer.decode(charset)
    assert text.endswith("\r")
    return [line.split(separator) for line in text.removesuffix("\r").split("\r")]


def test_an_accepted_message_is_answered_with_sender_and_receiver_changed() -> None:
    header, msa = segments(hl7.acknowledge(VISIT, "AA", ""))
    assert header[:6] == ["MSH", "^~\\&", "GATEWAY", "CARDIO-01", "MONITOR", "SITE007"]
    assert re.fullmatch(r"\d{14}\+0000", header[6])
    assert header[8] == "ACK^R01^ACK"
    assert header[10:12] == ["P", "2.5"]
    assert header[17] == "UNICODE UTF-8"
    assert 0 < len(header[9]) <= 20
    assert msa == ["MSA", "AA", "MSG00042", ""]


def test_every_answer_has_a_control_id_of_its_own() -> None:
    assert len({segments(hl7.acknowledge(VISIT, "AA", ""))[0][9] for _ in range(50)}) == 50


def test_an_error_without_reasons_has_one_err_with_the_text() -> None:
    _, msa, err = segments(hl7.acknowledge(VISIT, "AE", "the broker is away | send it again"))
    assert msa == ["MSA", "AE", "MSG00042", r"the broker is away \F\ send it again"]
    assert err == ["ERR", "", "", "207^Application internal error^HL70357", "E", "", "", "", msa[3]]


def test_each_reason_has_its_err_with_its_place() -> None:
    body = VISIT.replace(b"|72|", b"|high|").replace(b"mm[Hg]", b"", 1).replace(b"|treatment|", b"||")
    with pytest.raises(Invalid) as caught:
        hl7.parse(body)
    contract = Reason(ReasonCode.IMPOSSIBLE_VALUE, "events[0].payload.value", "too much")
    found = segments(hl7.acknowledge(body, "AE", "invalid", [*caught.value.reasons, contract]))[2:]
    assert [(err[2], err[3].partition("^")[0]) for err in found] == [
        ("ZCT^1^3", "101"), ("OBX^1^5", "102"), ("OBX^3^6", "101"), ("", "102")]
    assert found[3][8] == "events[0].payload.value: too much"
    assert all(err[4] == "E" and err[8] for err in found)


def test_an_accepted_message_has_no_err_and_many_reasons_have_a_limit() -> None:
    many = [Reason(ReasonCode.WRONG_TYPE, f"OBX[{number}]-2", "only NM") for number in range(1, 200)]
    assert len(segments(hl7.acknowledge(VISIT, "AA", "", many))) == 2
    assert len(segments(hl7.acknowledge(VISIT, "AE", "x" * 5000, many))) == 52


def test_the_answer_has_the_senders_separators_and_character_set() -> None:
    body = sample("oru-odd-separators-latin1.hl7").replace(b"L-77", "L-77-ü".encode("latin-1"))
    header, msa = segments(hl7.acknowledge(body, "AA", "gut, größer # als !"), "latin-1", "#")
    assert header[1] == "$*!@"
    assert header[8] == "ACK$R01$ACK"
    assert header[17] == "8859/1"
    assert msa == ["MSA", "AA", "L-77-ü", "gut, größer !F! als !E!"]


@pytest.mark.parametrize("charset", CHARSETS)
def test_text_that_a_character_set_lacks_is_no_trouble(charset: str) -> None:
    answer = hl7.acknowledge(VISIT.replace(b"UNICODE UTF-8", charset.encode()), "AE", "PT… 王 Ж")
    assert segments(answer, CHARSETS[charset])[0][17] == charset


@pytest.mark.parametrize("body", [
    b"", b"MSH", b"MSH|", b"MSH|^~\\&", b"\x00\xff\xfe", b"MSH||||||||", VISIT[:50], VISIT.replace(b"UNICODE UTF-8", b"KLINGON"),
    "MSH|^~\\&|A".encode("utf-16"), b"MSH|^~\\&|" + b"x" * 3_000_000, b"MSH|^~\\&|\xff\xff|\xfe\r"])
def test_garbage_is_answered_too(body: bytes) -> None:
    header, msa, err = segments(hl7.acknowledge(body, "AR", "what was that?"))
    assert header[:2] == ["MSH", "^~\\&"]
    assert header[8] == "ACK^R01^ACK"
    assert msa[:2] == ["MSA", "AR"]
    assert err[8] == "what was that?"


@BOUNDED
@given(st.text(max_size=60), st.binary(max_size=40))
def test_neither_text_nor_header_can_bring_in_a_segment(text: str, junk: bytes) -> None:
    answer = hl7.acknowledge(b"MSH|^~\\&|A|B|C|D|20260301||ORU^R01|" + junk + b"|P|2.5", "AE", text)
    assert [one[0] for one in segments(answer)] == ["MSH", "MSA", "ERR"]
    assert b"\n" not in answer


def test_the_answer_can_be_read_back() -> None:
    """Its own separators and set are those that it names: our reader, which knows no ACK, gets as far as its type."""
    with pytest.raises(Unparseable, match="MSH-9"):
        hl7.parse(hl7.acknowledge(VISIT, "AE", "größer als 王"))
