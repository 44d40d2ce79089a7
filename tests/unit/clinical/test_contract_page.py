"""Rules: the page on the data contract says what the code does; its examples are messages that are taken."""

from __future__ import annotations

import re
from pathlib import Path

from applications.clinical import fhir, hl7
from applications.clinical.fhir import names
from applications.clinical.hl7.message import CHARSETS, MOST_BYTES, MOST_SEGMENTS
from applications.clinical.models import INGRESS, MODELS, SCHEMA_VERSION, Envelope, EventType
from applications.clinical.reasons import ReasonCode
from applications.clinical.table import markdown
from applications.clinical.terminology import ANALYTES
from applications.clinical.validation import check_object
from tests.unit.clinical.contract_events import RECEIVED

PAGE = (Path(__file__).parents[3] / "docs" / "data-contract.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def example(title: str) -> str:
    return re.findall(r"```\w*\n(.*?)```", section(title), re.DOTALL)[0]


def first_column(text: str) -> list[str]:
    return re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE)[2:]


def test_the_table_of_analytes_is_the_codes() -> None:
    found = re.search(r"<!-- analytes:.*?-->\n(.*?)<!-- end of analytes -->", PAGE, re.DOTALL)
    assert found
    assert found[1] == markdown(), "print it again with python -m applications.clinical.table"
    assert len(markdown().splitlines()) == len(ANALYTES) + 2


def test_the_table_of_analytes_states_conversions_as_the_contract_does() -> None:
    for words in ("`mmol/L`, 14749-6, value / 0.05551", "`umol/L`, 14682-9, value / 88.4", "`ukat/L`, 1742-6, value / 0.0167",
                  "`[degF]`, 8310-5, (value - 32) / 1.8", "`meq/L`, 2951-2, value |", "female 12 to 15; male 13.6 to 17.2"):
        assert words in markdown()


def test_each_reason_has_its_row_and_no_other() -> None:
    assert first_column(section("Reasons")) == list(ReasonCode)


def test_each_type_and_each_field_of_the_envelope_is_described() -> None:
    assert first_column(section("Payloads")) == list(EventType)
    described = re.findall(r"`(\w+)`", " ".join(first_column(section("Envelope"))))
    assert sorted(described) == sorted([*Envelope.model_fields, "event_type", "payload"])
    assert f"`{SCHEMA_VERSION}`" in section("Envelope")
    for kind in EventType:
        row = next(line for line in section("Payloads").splitlines() if line.startswith(f"| {kind} |"))
        payload = MODELS[kind].model_fields["payload"].annotation
        assert payload is not None
        assert all(f"`{name}`" in row for name in payload.model_fields), kind


def test_every_system_and_every_limit_is_named() -> None:
    own = {value for value in vars(names).values() if isinstance(value, str) and value.startswith(names.PREFIX)}
    for system in own - {names.PREFIX, names.SOURCE}:
        assert f"`{system}`" in section("FHIR R4"), system
    text = section("HL7 v2.5")
    assert f"{MOST_BYTES // 2**20} MiB and {MOST_SEGMENTS:,} segments" in text
    ranged = {f"8859/{number}" for number in range(1, 10)}
    assert all(f"`{charset}`" in text for charset in set(CHARSETS) - ranged - {"UTF-8"})
    assert ranged < set(CHARSETS)


def test_the_examples_are_taken() -> None:
    observation = fhir.parse(example("FHIR R4").encode())
    message = hl7.parse(example("HL7 v2.5").encode()).events
    assert [one["event_type"] for one in observation + message] == ["lab-results", "patient-vitals"]
    for one in observation + message:
        assert check_object(one, RECEIVED).event_type in INGRESS
