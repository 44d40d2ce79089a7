"""Acknowledgements: ACK^R01 with MSA, and ERR for what was wrong, in the sender's own separators and character set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from applications.clinical.hl7.message import (
    CHARSETS,
    DEFAULT_CHARSET,
    DEFAULT_SEPARATORS,
    Separators,
    charset_of,
    separators_of,
)
from applications.clinical.reasons import Reason, ReasonCode, Unparseable

MOST_ERRORS = 50
LONGEST_FIELD, LONGEST_TEXT = 250, 1000
_HEADER_BYTES = 65536
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_INTERNAL = ("207", "Application internal error")
_CODES: Mapping[ReasonCode, tuple[str, str]] = {
    ReasonCode.MISSING_FIELD: ("101", "Required field missing"), ReasonCode.WRONG_TYPE: ("102", "Data type error"),
    ReasonCode.UNKNOWN_CODE: ("103", "Table value not found"), ReasonCode.UNIT_MISMATCH: ("103", "Table value not found")}


def acknowledge(message: bytes, code: str, text: str, reasons: Sequence[Reason] = ()) -> bytes:
    """The acknowledgement of a message, whatever it is: sender and receiver change places, the control id is repeated.

    `code` is AA, AE or AR; `text` says in words what happened. With AE and AR there is one ERR a reason (the first 50), or
    one with the text where there are none.
    """
    separators, charset, fields = _header(message)

    def field(number: int) -> str:
        found = fields[number - 1] if number <= len(fields) else ""
        return _CONTROL.sub("", found)[:LONGEST_FIELD]

    def components(*parts: str) -> str:
        return separators.component.join(separators.escaped(part) for part in parts)

    lines = [["MSH", separators.encoding, field(5), field(6), field(3), field(4), f"{datetime.now(UTC):%Y%m%d%H%M%S}+0000", "",
              components("ACK", "R01", "ACK"), uuid4().hex[:20], field(11) or "P", "2.5", "", "", "", "", "", charset],
             ["MSA", code, field(10), separators.escaped(text[:LONGEST_TEXT])]]
    if code != "AA":
        errors: Sequence[Reason | None] = reasons[:MOST_ERRORS] or (None,)
        for reason in errors:
            place, said, words = _error(reason, text)
            lines.append(["ERR", "", components(*place), components(*said, "HL70357"), "E", "", "", "",
                          separators.escaped(words[:LONGEST_FIELD])])
    return "".join(separators.field.join(line) + "\r" for line in lines).encode(CHARSETS[charset], "replace")


def _error(reason: Reason | None, text: str) -> tuple[Sequence[str], tuple[str, str], str]:
    """Where (segment, its number, field), HL7's code and its meaning, and the words."""
    if reason is None:
        return (), _INTERNAL, text
    found = _PLACE.fullmatch(reason.field)
    place = (found[1], found[2] or "1", *([found[3]] if found[3] else [])) if found else ()
    words = reason.message if found or not reason.field else f"{reason.field}: {reason.message}"
    return place, _CODES.get(reason.code, ("102", "Data type error")), words


def _header(message: bytes) -> tuple[Separators, str, list[str]]:
    """Separators, character set and MSH fields; defaults where the message has no MSH that can be read."""
    try:
        separators = separators_of(message)
    except Unparseable:
        return DEFAULT_SEPARATORS, DEFAULT_CHARSET, []
    charset = charset_of(message, separators)
    if charset not in CHARSETS:
        charset = DEFAULT_CHARSET
    header = message[:_HEADER_BYTES].decode(CHARSETS[charset], "replace").removeprefix("\ufeff")
    fields = re.split("[\r\n]", header, maxsplit=1)[0].split(separators.field)
    return separators, charset, [separators.field, *fields[1:]]
