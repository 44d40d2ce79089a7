"""Identifiers of persons, taken out of a refused body before it goes into quarantine: they end at the door.

Events hold none, since the parsers do not read them; a refused body is kept as it came otherwise, byte for byte where
there was nothing to take out. The pseudonym (PT…) is no identifier of a person and stays.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from applications.clinical.hl7.message import separators_of
from applications.clinical.models import PATIENT_ID
from applications.ingestion.gateway.reading import Format

_BREAKS = re.compile(rb"(\r\n|\r|\n)")
_PSEUDONYM = re.compile(PATIENT_ID)
# Segments that the parser reads; of all others (next of kin, insurance, visit, notes …) the name alone is kept.
_READ = (b"MSH", b"ZCT", b"OBR", b"TQ1", b"OBX")
_SET_ID, _IDENTIFIERS, _SEX = 1, 3, 8
_PERSONS = frozenset(("Patient", "RelatedPerson", "Person", "Practitioner"))
_PERSONAL = frozenset(("name", "telecom", "address", "birthDate", "photo", "contact"))


def without_identifiers(form: Format, body: bytes) -> bytes:
    """A body that could be parsed, without names, addresses, birth dates and identifiers of persons."""
    match form:
        case Format.HL7:
            return _hl7(body)
        case Format.FHIR:
            value = orjson.loads(body)
            return orjson.dumps(value) if _strip(value) else body
        case _:
            return body


def _hl7(body: bytes) -> bytes:
    separators = separators_of(body)
    field, component, repetition = (one.encode() for one in (separators.field, separators.component, separators.repetition))

    def segment(text: bytes) -> bytes:
        name = text[:3]
        if name != b"PID":
            return text if name in _READ or b"MSH" in text[:6] else name
        fields = text.split(field)
        for number in range(1, len(fields)):
            if number == _IDENTIFIERS:
                found = fields[number].split(repetition) if repetition else [fields[number]]
                fields[number] = repetition.join(one for one in found if _is_pseudonym(one.split(component)[0].decode("latin-1")))
            elif number not in (_SET_ID, _SEX):
                fields[number] = b""
        return field.join(fields)

    # Line breaks stand between the segments, and stay.
    return b"".join(part if _BREAKS.fullmatch(part) else segment(part) for part in _BREAKS.split(body))


def _strip(value: Any) -> bool:
    """Takes identifiers out of FHIR's JSON; returns whether there were any."""
    found = False
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            drop = {"display"} & one.keys() if "reference" in one else set()
            if "resourceType" in one:
                # The narrative of a resource repeats what is in it.
                drop |= {"text"} & one.keys()
            if isinstance(kind := one.get("resourceType"), str) and kind in _PERSONS:
                drop |= _PERSONAL & one.keys()
                found |= _keep_pseudonyms(one)
            for name in drop:
                del one[name]
            found |= bool(drop)
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return found


def _keep_pseudonyms(person: dict[str, Any]) -> bool:
    identifiers = person.get("identifier")
    if identifiers is None:
        return False
    listed = identifiers if isinstance(identifiers, list) else [identifiers]
    kept = [one for one in listed if isinstance(one, dict) and _is_pseudonym(one.get("value"))]
    person["identifier"] = kept
    return len(kept) != len(listed)


def _is_pseudonym(value: object) -> bool:
    return isinstance(value, str) and _PSEUDONYM.fullmatch(value) is not None
