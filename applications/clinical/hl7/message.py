"""HL7 v2 in its raw form: character set, separators, segments and fields, before any of it means something."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from applications.clinical.reasons import Unparseable

MOST_BYTES = 1024 * 1024
MOST_SEGMENTS = 2000
DEFAULT_CHARSET = "ASCII"
CHARSETS: Mapping[str, str] = {
    "ASCII": "ascii", "8859/1": "iso8859-1", "8859/2": "iso8859-2", "8859/3": "iso8859-3", "8859/4": "iso8859-4",
    "8859/5": "iso8859-5", "8859/6": "iso8859-6", "8859/7": "iso8859-7", "8859/8": "iso8859-8", "8859/9": "iso8859-9",
    "8859/15": "iso8859-15", "UNICODE UTF-8": "utf-8", "UTF-8": "utf-8"}
"""Names of MSH-18 and the codecs. In each of them a byte below 128 is the ASCII character, so the header can be read first."""

_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_BREAK = re.compile("\r\n|\r|\n")
_SEPARATOR = re.compile(r"[!#-/:-@\[-`{-~]")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Separators:
    """The characters that MSH-1 and MSH-2 name; one that they leave out is empty and never found."""

    field: str
    component: str
    repetition: str = ""
    escape: str = ""
    subcomponent: str = ""

    @property
    def encoding(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent

    def escaped(self, text: str) -> str:
        """The text so that no separator stands in it; line breaks become blanks."""
        text = _BREAK.sub(" ", text)
        if not self.escape:
            return "".join(" " if character in self.field + self.encoding else character for character in text)
        codes = {self.escape: "E", self.field: "F", self.component: "S", self.repetition: "R", self.subcomponent: "T"}
        return "".join(f"{self.escape}{codes[character]}{self.escape}" if character in codes else character for character in text)

    def unescaped(self, text: str, codec: str) -> str:
        """The text that was meant. Formatting and sequences that nobody knows are dropped."""
        if not self.escape or self.escape not in text:
            return text
        meaning = {"E": self.escape, "F": self.field, "S": self.component, "R": self.repetition, "T": self.subcomponent}
        mark = re.escape(self.escape)

        def one(found: re.Match[str]) -> str:
            code = found[1]
            if re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", code):
                return bytes.fromhex(code[1:]).decode(codec, "replace")
            return meaning.get(code, "")

        return re.sub(f"{mark}([^{mark}]*){mark}", one, text)


DEFAULT_SEPARATORS = Separators("|", "^", "~", "\\", "&")


@dataclass(frozen=True)
class Segment:
    """One segment. `number` counts those of its name from 1; fields are numbered as HL7 does, MSH's separators included."""

    name: str
    number: int
    fields: tuple[str, ...]
    separators: Separators
    codec: str

    def raw(self, field: int) -> str:
        """A field as it came; empty where there is none, and for HL7's null."""
        found = self.fields[field] if field < len(self.fields) else ""
        return "" if found == '""' else found

    def repetitions(self, field: int) -> list[tuple[str, ...]]:
        """The components of each repetition of a field, in plain text."""
        split = _split(self.raw(field), self.separators.repetition)
        return [tuple(self._plain(part) for part in _split(one, self.separators.component)) for one in split]

    def text(self, field: int, component: int = 1) -> str:
        """A component of the first repetition, in plain text; empty where there is none."""
        parts = self.repetitions(field)[0]
        return parts[component - 1] if component <= len(parts) else ""

    def path(self, field: int | None = None) -> str:
        """Where a fault is: `OBX[2]-5`, or `MSH-7`, since there is one MSH."""
        name = self.name if self.name == "MSH" else f"{self.name}[{self.number}]"
        return name if field is None else f"{name}-{field}"

    def _plain(self, component: str) -> str:
        first = _split(component, self.separators.subcomponent)[0]
        return self.separators.unescaped("" if first == '""' else first, self.codec).strip()


def separators_of(message: bytes) -> Separators:
    """What MSH-1 and MSH-2 say. Raises Unparseable where there is no MSH, or one that cannot separate anything."""
    message = message.removeprefix(_BOM)
    if message[:3] != b"MSH":
        raise Unparseable("the message does not begin with the segment MSH, in an encoding that extends ASCII")
    head = message[3:9].decode("latin-1")
    field = head[:1]
    encoding = re.split(f"[{re.escape(field)}\r\n]" if field else "$", head[1:], maxsplit=1)[0]
    if not encoding or len({field, *encoding}) != len(encoding) + 1 or not all(map(_SEPARATOR.fullmatch, field + encoding)):
        raise Unparseable("MSH-1 and MSH-2 must name separators: punctuation marks that differ from each other")
    # A fifth character is later versions' sign of truncation.
    return Separators(field, *encoding[:4])


def charset_of(message: bytes, separators: Separators) -> str:
    """The first character set that MSH-18 names; HL7's default where it names none."""
    header = re.split(rb"[\r\n]", message.removeprefix(_BOM)[:65536], maxsplit=1)[0].decode("latin-1")
    fields = header.split(separators.field)
    named = _split(fields[17], separators.repetition)[0] if len(fields) > 17 else ""
    return separators.unescaped(named, "ascii").strip().upper() or DEFAULT_CHARSET


def segments(message: bytes) -> list[Segment]:
    """The segments of a message, MSH first. Raises Unparseable, in words without the message's content."""
    if len(message) > MOST_BYTES:
        raise Unparseable(f"a message may have {MOST_BYTES} bytes; send its results in several messages")
    separators = separators_of(message)
    charset = charset_of(message, separators)
    codec = CHARSETS.get(charset)
    if codec is None:
        raise Unparseable(f"MSH-18 must name one of the character sets {', '.join(CHARSETS)}")
    try:
        text = message.removeprefix(_BOM).decode(codec)
    except UnicodeDecodeError as error:
        raise Unparseable(f"byte {error.start + 1} is not {charset}, as MSH-18 promises "
                          f"(where it is empty, {DEFAULT_CHARSET} holds)") from None
    lines = [line for line in _BREAK.split(text) if line.strip()]
    if len(lines) > MOST_SEGMENTS:
        raise Unparseable(f"a message may have {MOST_SEGMENTS} segments; send its results in several messages")
    count: Counter[str] = Counter()
    found = []
    for position, line in enumerate(lines, start=1):
        name, fields = line[:3], line.split(separators.field)
        if not _NAME.fullmatch(name) or (len(line) > 3 and line[3] != separators.field):
            raise Unparseable(f"line {position} is no segment: it must begin with a name of three characters and MSH-1")
        if name == "MSH":
            fields = [name, separators.field, *fields[1:]]
        count[name] += 1
        found.append(Segment(name, count[name], tuple(fields), separators, codec))
    if count["MSH"] > 1:
        raise Unparseable("there is more than one MSH: send one message at a time")
    return found


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else [text]
