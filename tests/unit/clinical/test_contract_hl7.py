"""Rules: ORU^R01 becomes the same events as native JSON, all or nothing, in any separators and character set it may have."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applications.clinical import hl7
from applications.clinical.hl7.message import CHARSETS, MOST_BYTES, MOST_SEGMENTS, Separators
from applications.clinical.identity import derived
from applications.clinical.reasons import Invalid, Unparseable
from applications.clinical.validation import check_object
from tests.unit.clinical.contract_events import BOUNDED, ID, RECEIVED, event, faults, observed, reasons, sample

MESSAGE = sample("oru-visit-utf8.hl7").decode()
ODD = [Separators("#", "$", "*", "!", "@"), Separators("!", ":", "+", "?", "-"), Separators("%", ".", "/", "'", "="),
       Separators("|", "^", "~", "\\", "&"), Separators("_", "[", "]", "*", "{")]


def lines(text: str = MESSAGE) -> list[str]:
    return text.strip("\n").split("\n")


def message(*found: str, charset: str = "utf-8") -> bytes:
    return "".join(line + "\r" for line in found).encode(charset)


def edited(**fields: str) -> bytes:
    """The sample with fields replaced: `OBX1_5="x"` for field 5 of the first OBX."""
    found = [line.split("|") for line in lines()]
    for place, value in fields.items():
        segment, _, number = place.partition("_")
        line = [one for one in found if one[0] == segment[:3]][int(segment[3:] or 1) - 1]
        index = int(number) - (line[0] == "MSH")
        line += [""] * (index + 1 - len(line))
        line[index] = value
    return message(*map("|".join, found))


def without(name: str) -> bytes:
    return message(*(line for line in lines() if not line.startswith(name)))


def same_moment(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, **{name: datetime.fromisoformat(one[name]) for name in ("event_time", "recorded_time")}}


def test_a_visit_as_a_ward_sends_it() -> None:
    found = hl7.parse(message(*lines()))
    assert found.control_id == "MSG00042"
    for one in found.events:
        check_object(one, RECEIVED, one["event_type"])
    common = {"schema_version": "1.0.0", "patient_id": "PTAB12CD34", "study_id": "CARDIO-01", "site_id": "SITE007",
              "trial_arm": "treatment", "enrolment_date": "2026-01-15"}
    assert found.events == [
        {**common, "event_id": derived("hl7", "MONITOR", "SITE007", "MSG00042", 1, 1, "PTAB12CD34", "2026-03-01T09:25:00+01:00"),
         "event_type": "patient-vitals", "event_time": "2026-03-01T09:25:00+01:00",
         "recorded_time": "2026-03-01T09:29:00+01:00", "source": "Monitor 3",
         "payload": {"measurements": [{"code": "8867-4", "value": 72.0, "unit": "/min"},
                                      {"code": "8310-5", "value": 98.6, "unit": "[degF]"},
                                      {"code": "8480-6", "value": 121.0, "unit": "mm[Hg]"},
                                      {"code": "8462-4", "value": 79.0, "unit": "mm[Hg]"}]}},
        {**common, "event_id": "c0ffee00-1111-4222-8333-444455556666", "event_type": "lab-results",
         "event_time": "2026-03-01T08:15:00+01:00", "recorded_time": "2026-03-01T09:30:00+01:00", "source": "MONITOR",
         "payload": {"code": "14749-6", "value": 5.4, "unit": "mmol/L", "sex": "female", "priority": "stat"}},
        {**common, "event_id": derived("hl7", "MONITOR", "SITE007", "MSG00042", 2, 2, "PTAB12CD34", "2026-03-01T08:00:00+01:00"),
         "event_type": "lab-results", "event_time": "2026-03-01T08:00:00+01:00", "recorded_time": "2026-03-01T09:30:00+01:00",
         "source": "MONITOR",
         "payload": {"code": "2823-3", "value": 4.2, "unit": "meq/L", "sex": "female", "priority": "stat"}}]


def test_other_separators_in_8859_1_with_escapes_and_tq1() -> None:
    found = hl7.parse(sample("oru-odd-separators-latin1.hl7")).events
    assert len(found) == 1
    check_object(found[0], RECEIVED)
    assert found[0]["payload"] == {"code": "6690-2", "value": 7.1, "unit": "10*9/L", "sex": "male", "priority": "stat"}
    assert (found[0]["recorded_time"], found[0]["patient_id"]) == ("2026-03-01T10:15:00.250000+01:00", "PTZZ00YY11")


def test_names_addresses_and_other_identifiers_stay_outside() -> None:
    text = str(hl7.parse(message(*lines())))
    for secret in ("Müller", "Łucja", "花子", "1961", "Straße", "Köln", "MRN", "liegt"):
        assert secret not in text
        assert secret.replace("1961", "19610302") in MESSAGE


@pytest.mark.parametrize(("charset", "name"), [
    ("ASCII", "Mueller^Juergen"), ("8859/1", "Müller^Jürgen"), ("8859/2", "Żółć^Łucja"), ("8859/3", "Ĉapek^Ĝoja"),
    ("8859/4", "Bērziņš^Jānis"), ("8859/5", "Иванова^Анна"), ("8859/6", "أحمد^علي"), ("8859/7", "Παπαδόπουλος^Άννα"),
    ("8859/8", "כהן^דוד"), ("8859/9", "Doğan^Şule"), ("8859/15", "Šœur^Žoé€"), ("UNICODE UTF-8", "王^花子^😀"), ("", "Smith^Ann")])
def test_names_in_every_character_set_and_its_absence(charset: str, name: str) -> None:
    codec = CHARSETS[charset or "ASCII"]
    text = [line.replace("Żółć-Müller^Łucja^花子", name).replace("Straße der Muster 7^^Köln", "x")
            .replace("UNICODE UTF-8", charset) for line in lines()]
    device = [line.replace("Monitor 3^ICU", name.replace("^", " ")) for line in text]
    found = hl7.parse(message(*device, charset=codec)).events
    assert found[0]["source"] == name.replace("^", " ")
    assert set(CHARSETS) - {"UTF-8"} >= {charset} - {""}


@pytest.mark.parametrize(("body", "words"), [
    (message(*lines(), charset="utf-8").replace(b"UNICODE UTF-8", b""), "ASCII"),
    (message(*lines(), charset="utf-8").replace(b"UNICODE UTF-8", b"ASCII"), "ASCII"),
    ("\r".join(lines()).replace("Łucja^花子", "J").replace("Żółć-", "").encode("latin-1"), "UNICODE UTF-8"),
    (message(*lines()).replace(b"UNICODE UTF-8", b"KLINGON"), "MSH-18"), (message(*lines(), charset="utf-16"), "begin"),
    (message(*lines(), charset="utf-16-le"), "begin"), (message(*lines()).replace(b"UNICODE UTF-8", b"8859/3"), "8859/3")])
def test_a_body_that_is_not_in_the_character_set_it_promises_is_unparseable(body: bytes, words: str) -> None:
    with pytest.raises(Unparseable, match=words):
        hl7.parse(body)


@pytest.mark.parametrize("separators", ODD, ids=lambda found: found.field + found.encoding)
def test_any_separators_even_those_that_stand_in_numbers_and_units(separators: Separators) -> None:
    sent = [event(payload={"measurements": [{"code": "8310-5", "value": -98.6, "unit": "[degF]"},
                                            {"code": "8480-6", "value": 121.0, "unit": "mm[Hg]"}]}, source="a|b^c~d\\e&f#g$h!i"),
            event("lab-results", {"code": "6690-2", "value": 7.1, "unit": "{cells}/uL", "sex": "other", "priority": "routine"},
                  event_id=ID.replace("1", "2"))]
    body = hl7.oru_r01(sent, separators=separators)
    assert body[3:8].decode() == separators.field + separators.encoding
    assert [*map(same_moment, hl7.parse(body).events)] == [*map(same_moment, sent)]


@BOUNDED
@given(st.lists(observed(), min_size=1, max_size=4, unique_by=lambda one: one["event_id"]), st.sampled_from(ODD))
def test_rendering_and_reading_gives_the_same_events(events: list[dict[str, Any]], separators: Separators) -> None:
    body = hl7.oru_r01(events, separators=separators)
    found = {one["event_id"]: same_moment(one) for one in hl7.parse(body).events}
    assert found == {one["event_id"]: same_moment(one) for one in events}
    # Laboratories and gateways put line feeds where HL7 has carriage returns.
    assert hl7.parse(body.replace(b"\r", b"\r\n")) == hl7.parse(body) == hl7.parse(b"\xef\xbb\xbf" + body.replace(b"\r", b"\n"))


@pytest.mark.parametrize("events", [[], [event("medications")], [event(), event("demographics")]])
def test_only_results_can_be_rendered(events: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"ORU\^R01 holds"):
        hl7.oru_r01(events)


@BOUNDED
@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_are_unparseable_and_still_acknowledged(body: bytes, header: bool) -> None:
    body = b"MSH|^~\\&|" * header + body
    with pytest.raises(Unparseable):
        hl7.parse(body)
    assert b"\rMSA|AR|" in hl7.acknowledge(body, "AR", "no")


@BOUNDED
@given(st.data())
def test_a_mutated_message_is_unparseable_invalid_or_events_that_can_be_judged(data: st.DataObject) -> None:
    body = bytearray(message(*lines()))
    for _ in range(data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(0, len(body) - 1))
        length = data.draw(st.sampled_from((0, 1, 1, 3, 40)))
        marks = st.sampled_from((b"|", b"^", b"\r", b"\\", b"~", b'""'))
        body[start:start + length] = data.draw(st.one_of(st.binary(max_size=4), marks))
    try:
        for one in hl7.parse(bytes(body)).events:
            check_object(one, RECEIVED)
    except Unparseable as error:
        assert str(error)
    except Invalid as error:
        assert all(reason.message for reason in error.reasons)
    assert hl7.acknowledge(bytes(body), "AE", "no").startswith(b"MSH")


@pytest.mark.parametrize(("fields", "found"), [
    ({"OBX2_2": "ST"}, {"OBX[2]-2": "wrong-type"}), ({"OBX2_2": ""}, {"OBX[2]-2": "missing-field"}),
    ({"OBX2_3": "8310-5^Temperature^L"}, {"OBX[2]-3": "missing-field"}),
    ({"OBX2_3": "99999-9^?^LN"}, {"OBX[2]-3": "unknown-code"}),
    ({"OBX2_5": "high"}, {"OBX[2]-5": "wrong-type"}), ({"OBX2_5": '""'}, {"OBX[2]-5": "missing-field"}),
    ({"OBX2_5": "37,1"}, {"OBX[2]-5": "wrong-type"}), ({"OBX2_5": "1e3"}, {"OBX[2]-5": "wrong-type"}),
    ({"OBX2_5": "37~38"}, {"OBX[2]-5": "invalid-value"}), ({"OBX2_5": "<^37"}, {"OBX[2]-5": "invalid-value"}),
    ({"OBX2_5": "9" * 400}, {"OBX[2]-5": "invalid-value"}), ({"OBX2_5": "٣٧"}, {"OBX[2]-5": "wrong-type"}),
    ({"OBX2_6": ""}, {"OBX[2]-6": "missing-field"}), ({"OBX2_6": "F^^ISO+"}, {"OBX[2]-6": "invalid-value"}),
    ({"OBX2_11": "P"}, {"OBX[2]-11": "invalid-value"}), ({"OBX2_11": ""}, {"OBX[2]-11": "missing-field"}),
    ({"OBR1_7": ""}, {"OBR[1]-7": "missing-field"}), ({"OBR1_7": "20260229120000+0100"}, {"OBR[1]-7": "invalid-value"}),
    ({"OBR1_7": "20260301"}, {"OBR[1]-7": "invalid-value"}), ({"OBR1_7": "2026-03-01T09:25:00Z"}, {"OBR[1]-7": "invalid-value"}),
    ({"OBR1_7": "20260301092500+1500"}, {"OBR[1]-7": "invalid-value"}), ({"OBX5_14": "x"}, {"OBX[5]-14": "invalid-value"}),
    ({"MSH_7": "20260301093000"}, {"MSH-7": "invalid-value", "OBR[2]-7": "invalid-value"}),
    ({"MSH_7": ""}, {"MSH-7": "missing-field", "OBR[2]-7": "invalid-value"}), ({"MSH_10": ""}, {"MSH-10": "missing-field"}),
    ({"PID_3": "MRN-0099^^^HOSPITAL^MR"}, {"PID[1]-3": "missing-field"}),
    ({"PID_3": "PTAB12CD34~PTAB12CD35"}, {"PID[1]-3": "invalid-value"}), ({"PID_8": "X"}, {"PID[1]-8": "invalid-value"}),
    ({"ZCT_3": ""}, {"ZCT[1]-3": "missing-field"}), ({"ZCT_4": "15.01.2026"}, {"ZCT[1]-4": "invalid-value"}),
    ({"OBX6_21": "c0ffee00-1111-4222-8333-444455556666"}, {"OBX[6]-21": "invalid-value"}),
    ({"OBX1_5": "x", "OBX3_6": "", "PID_8": "?", "ZCT_3": "", "OBR2_7": "x", "MSH_10": ""},
     {"OBX[1]-5": "wrong-type", "OBX[3]-6": "missing-field", "PID[1]-8": "invalid-value", "ZCT[1]-3": "missing-field",
      "OBR[2]-7": "invalid-value", "MSH-10": "missing-field"})])
def test_what_is_refused_and_where_all_at_once(fields: dict[str, str], found: dict[str, str]) -> None:
    assert faults(lambda: hl7.parse(edited(**fields))) == found


def test_a_reason_never_repeats_what_was_sent() -> None:
    secret = "XYZZYPLUGH"
    body = edited(PID_3=secret, PID_8=secret, OBX1_5=secret, OBX1_3=f"{secret}^^LN", OBR1_7=secret, OBX2_6=f"{secret}^^L")
    assert not any(secret in reason.message + field for field, reason in reasons(lambda: hl7.parse(body)).items())


@pytest.mark.parametrize(("missing", "found"), [
    ("PID", {"PID": "missing-field"}), ("ZCT", {"ZCT-3": "missing-field"}), ("OBX", {"OBX": "missing-field"}),
    ("OBR", {"OBX": "missing-field", **{f"OBX[{number}]": "invalid-value" for number in range(1, 7)}})])
def test_missing_segments_are_named(missing: str, found: dict[str, str]) -> None:
    assert faults(lambda: hl7.parse(without(missing))) == found


def test_without_zct_fields_study_and_site_come_from_msh() -> None:
    one = hl7.parse(edited(ZCT_1="", ZCT_2="", ZCT_4="", MSH_4="SITE031^1.2.3^ISO", MSH_6="ONC-9")).events[0]
    assert (one["study_id"], one["site_id"], "enrolment_date" in one) == ("ONC-9", "SITE031", False)


@pytest.mark.parametrize("fields", [
    {"MSH_9": "ADT^A01"}, {"MSH_9": "ORU^R30"}, {"MSH_9": ""}, {"MSH_12": "2.3"}, {"MSH_12": ""}, {"MSH_11": "T"}, {"MSH_11": ""},
    {"MSH_2": "^^\\&"}, {"MSH_2": "abcd"}, {"MSH_2": ""}])
def test_another_message_version_or_purpose_is_unparseable(fields: dict[str, str]) -> None:
    with pytest.raises(Unparseable, match="MSH-"):
        hl7.parse(edited(**fields))


@pytest.mark.parametrize(("body", "words"), [
    (b"", "MSH"), (b"MSH", "MSH-1"), (b"PID|1\r", "MSH"), (b"\x0bMSH|^~\\&|", "MSH"), (b"FHS|^~\\&|\r", "MSH"),
    (message(*lines(), "pid|1"), "line 16"), (message(*lines(), "PIDX|1"), "line 16"), (message(*lines(), "PI"), "line 16"),
    (message(*lines(), *lines()), "one message at a time"),
    (message(*lines(), *["NTE|1"] * MOST_SEGMENTS), "segments"), (message(*lines(), "NTE|" + "x" * MOST_BYTES), "bytes")])
def test_what_is_no_single_message_is_unparseable(body: bytes, words: str) -> None:
    with pytest.raises(Unparseable, match=words):
        hl7.parse(body)


def test_the_largest_message_is_read_or_refused_whole() -> None:
    results = [lines()[8]] * (MOST_SEGMENTS - len(lines()))
    vitals = hl7.parse(message(*lines(), *results)).events[-1]
    assert len(vitals["payload"]["measurements"]) == len(results) > 1900
    broken = message(*lines(), *[result.replace("|NM|", "|ST|") for result in results])
    assert len(faults(lambda: hl7.parse(broken))) == len(results)


def test_vitals_of_one_time_are_one_set_and_of_another_time_another() -> None:
    found = hl7.parse(edited(OBX3_14="20260301092600+0100", OBX4_14="20260301092600+0100")).events
    sets = [[one["code"] for one in event["payload"]["measurements"]] for event in found if event["event_type"] == "patient-vitals"]
    assert sets == [["8867-4", "8310-5"], ["8480-6", "8462-4"]]
    assert len({one["event_id"] for one in found}) == 4


def test_two_patients_of_one_message_keep_their_results_apart() -> None:
    second = [line.replace("PTAB12CD34", "PTXX99YY88").replace("SITE007", "SITE008").replace("c0ffee", "beefed")
              for line in lines()[2:]]
    found = hl7.parse(message(*lines(), *second)).events
    first, other = ("PTAB12CD34", "SITE007"), ("PTXX99YY88", "SITE008")
    assert [(one["patient_id"], one["site_id"]) for one in found] == [first] * 3 + [other] * 3
    assert len({one["event_id"] for one in found}) == 6


def test_a_zct_before_the_first_pid_holds_for_every_patient_without_one() -> None:
    header, sft, pid, pv1, zct, *rest = lines()
    second = [line.replace("PTAB12CD34", "PTXX99YY88").replace("c0ffee", "beefed") for line in (pid, *rest)]
    found = hl7.parse(message(header, sft, zct, pid, pv1, *rest, *second)).events
    assert {(one["patient_id"], one["trial_arm"]) for one in found} == {("PTAB12CD34", "treatment"), ("PTXX99YY88", "treatment")}


def test_a_resend_keeps_the_ids_and_a_counter_that_starts_again_does_not_collide() -> None:
    def ids(**fields: str) -> list[str]:
        return [one["event_id"] for one in hl7.parse(edited(OBX5_21="", **fields)).events]
    assert ids() == ids(MSH_7="20260301100000+0100", OBR1_22="20260301095900+0100")
    for other in ({"MSH_3": "OTHER"}, {"MSH_4": "SITE009"}, {"MSH_10": "MSG00043"}, {"PID_3": "PTXX99YY88"}):
        assert set(ids()).isdisjoint(ids(**other)), other
    assert ids()[0] != ids(OBR1_7="20260302092500+0100")[0]


@pytest.mark.parametrize(("places", "expected"), [
    ({"OBR2_27": "^^^^^S"}, "stat"), ({"OBR2_27": "^^^^^A"}, "stat"), ({"OBR2_27": "^^^^^R"}, "routine"), ({"OBR2_27": ""}, None),
    ({"OBR2_27": "", "OBR2_5": "S"}, "stat"), ({"OBR2_27": "", "OBR2_5": "T"}, "routine")])
def test_priority(places: dict[str, str], expected: str | None) -> None:
    assert hl7.parse(edited(**places)).events[1]["payload"].get("priority") == expected


@pytest.mark.parametrize(("code", "word"), [
    ("F", "female"), ("M", "male"), ("O", "other"), ("A", "other"), ("U", "unknown"), ("N", "unknown"), ("", None), ('""', None)])
def test_sex(code: str, word: str | None) -> None:
    assert hl7.parse(edited(PID_8=code)).events[1]["payload"].get("sex") == word


@pytest.mark.parametrize(("text", "utc"), [
    ("20261025023000+0200", "2026-10-25T00:30:00+00:00"), ("20261025023000+0100", "2026-10-25T01:30:00+00:00"),
    ("202603010930+0545", "2026-03-01T03:45:00+00:00"), ("20260301093000.1234-0330", "2026-03-01T13:00:00.123400+00:00"),
    ("20260301093000", "2026-03-01T08:30:00+00:00"), ("20260301093000+0000", "2026-03-01T09:30:00+00:00")])
def test_offsets_are_respected_and_msh_7_lends_its_own(text: str, utc: str) -> None:
    found = hl7.parse(edited(OBR1_7=text)).events[0]["event_time"]
    assert datetime.fromisoformat(found) == datetime.fromisoformat(utc)


def test_escapes_of_every_kind_are_understood() -> None:
    found = hl7.parse(edited(OBX1_18=r"A\F\B\S\C\T\D\R\E\E\F\X41C3A9\G\H\H\.br\I\Zfoo\J")).events[0]["source"]
    assert found == "A|B^C&D~E\\FAéGHIJ"
