"""What must not leave a container's log: secrets, and what tells who a patient is. One list of rules for every text.

The rules look at text, so they hold for the lines of other people's software, too, and for lines that were cut. They rather take
too much than too little: what is lost then is a word of a log line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

REDACTED, PATIENT = "[redacted]", "[patient]"

_NAMES_OF_SECRETS = (r"passw(?:or[dt]|d)|passphrase|pgpass|(?<![a-z])pwd|secret|token|credential|authorization|session[_.-]?id"
                     r"|(?:api|access|private|signing|fernet|encryption)[_. -]?key|x-amz-(?:signature|credential|security)")
_NAMES_OF_IDENTIFIERS = (
    r"(?<![a-z])(?:family|given|(?:first|last|sur|middle|maiden|full|patient|subject|person)[_ -]?names?"
    r"|birth[_ -]?(?:date|day)|date[_ ]of[_ ]birth|dob|ssn|social[_ ]security(?:[_ ]number)?"
    r"|mrn|medical[_ ]record(?:[_ ]number)?|(?:tele)?phone(?:[_ ]number)?"
    r"|mobile|telefon|fax|tel|e?-?mail|post(?:al)?[_ ]?code|zip(?:[_ ]?code)?|street|insurance[_ ]?(?:id|number))(?![a-z])")

_QUOTE = r"""(?:\\?["'])"""
_IS = rf"{_QUOTE}?\s*(?:=>|[:=])\s*"
# Texts in quotes (escaped ones first), lists and objects that are nested once, and what is not closed, to the end of the text.
_QUOTED = r"""(?:\\"(?:(?!\\").)*(?:\\"|$)|"(?:\\.|[^"\\])*(?:"|\\?$)|'(?:\\.|[^'\\])*(?:'|\\?$))"""
_NESTED = r"(?:\[(?:[^\[\]]|\[[^\[\]]*\])*\]|\{(?:[^{}]|\{[^{}]*\})*\}|[\[{].*)"
_BARE = r"""(?:(?:bearer|basic|digest|apikey)\s+)?[^\s,;&|)\]}"']+"""
_ABSENT = r"(?!(?:null|none|true|false)\b)"
_WORD = r"(?-i:[A-ZÀ-ÖØ-ÞĀĆČĎĐĒĘĚĞĢĪİĶĻŁŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŸŹŻŽ][^\W\d_]*(?:['.\u2019-][^\W\d_]+)*\.?)"
_WORDS = rf"{_WORD}(?:,?\s+{_WORD})"
_DATE = r"\d{4}-?\d\d-?\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}"


@dataclass(frozen=True)
class Rule:
    """What `pattern` finds is replaced. One of `hints` (small letters) stands in every text in which it finds something, which
    spares most texts the search; without hints each text is searched."""

    name: str
    pattern: re.Pattern[str]
    replacement: str
    hints: tuple[str, ...]

    def apply(self, text: str, small: str) -> str:
        """The text without what the rule finds; `small` is the text in small letters."""
        if self.hints and not any(hint in small for hint in self.hints):
            return text
        return self.pattern.sub(self.replacement, text)


def _rule(name: str, pattern: str, replacement: str = REDACTED, hints: str = "") -> Rule:
    return Rule(name, re.compile(pattern, re.IGNORECASE | re.DOTALL), replacement, tuple(hints.split()))


RULES: tuple[Rule, ...] = (
    _rule("private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|$)", hints="-----begin"),
    _rule("password in a URL", r"(://[^\s/:@]*:)[^\s/]*@", rf"\g<1>{REDACTED}@", "://"),
    _rule("JSON web token", r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?", hints="eyj"),
    _rule("cookie", rf"(\bcookie{_IS}{_QUOTE}?)[^\"'\r\n]+", rf"\g<1>{REDACTED}", "cookie"),
    _rule("named secret", rf"((?:{_NAMES_OF_SECRETS})[\w.-]{{0,60}}{_IS}){_ABSENT}(?:{_NESTED}|{_QUOTED}|{_BARE})",
          rf"\g<1>{REDACTED}", "pass pwd secret token key credential authorization session x-amz"),
    _rule("secret of a command", rf"(--[\w-]{{0,40}}(?:{_NAMES_OF_SECRETS})[\w-]{{0,40}}\s+)\S+", rf"\g<1>{REDACTED}", "--"),
    _rule("password after its word", rf"(\b(?:password|passphrase)\s+(?:is\s+)?)(?:{_QUOTED}|(?=\S*\d)\S+)",
          rf"\g<1>{REDACTED}", "pass"),
    _rule("authorization scheme", r"\b(bearer|basic|apikey)\s+[\w.~+/=-]{8,}", rf"\g<1> {REDACTED}", "bearer basic apikey"),
    _rule("access key id", r"\b(?-i:AKIA|ASIA)[0-9A-Z]{16}\b", hints="akia asia"),
    _rule("random text", r"(?<![\w+/-])(?-i:(?=[\w+/-]*[a-z])(?=[\w+/-]*[A-Z])(?=[\w+/-]*\d))[\w+-]{32,}={0,2}(?![\w+/-])"),
    # HL7 v2: patient, next of kin, guarantor, insurance. A segment ends with a carriage return, however that is written.
    _rule("HL7 segment", r"((?:(?<![0-9a-z])|(?<=\\r)|(?<=\\n)|(?<=\\x0d))(?:PID|PD1|NK1|GT1|IN1|IN2)\|)"
          r".*?(?=[\r\n]|\\r|\\n|\\x0d|\b(?:PV1|OBR|OBX|ORC|NTE)\||$)", rf"\g<1>{REDACTED}", "pid| pd1| nk1| gt1| in1| in2|"),
    _rule("HL7 name", r"(?<![^\W_])[^\W\d_]{2,}\^[^\W\d_]{2,}(?:\^[^\W\d_]*)*", hints="^"),
    # FHIR: HumanName, Address, ContactPoint and their kind are objects, or lists of such.
    _rule("FHIR element", rf"""({_QUOTE}(?:name|address|telecom|contact|photo){_IS}){_NESTED}""", rf"\g<1>{REDACTED}",
          "name address telecom contact photo"),
    _rule("named identifier", rf"({_NAMES_OF_IDENTIFIERS}{_IS}){_ABSENT}"
          rf"(?:{_NESTED}|{_QUOTED}|{_WORDS}{{1,3}}|{_DATE}|[+(]?\d[\d ()./-]{{5,}}\d|{_BARE})", rf"\g<1>{REDACTED}",
          "family given name birth dob ssn social mrn medical phone mobile telefon fax tel mail post zip street insurance"),
    _rule("named person", rf"""(\b(?:name|patient|subject){_IS}){_QUOTE}?{_WORDS}{{1,3}}{_QUOTE}?""", rf"\g<1>{REDACTED}",
          "name patient subject"),
    _rule("person after a word", rf"(\b(?:patient|subject|mr|mrs|ms|dr|herr|frau)\.?\s+){_WORDS}{{1,2}}", rf"\g<1>{REDACTED}",
          "patient subject mr ms dr herr frau"),
    _rule("day of birth", rf"(\bborn(?:\s+on)?\s+)(?:{_DATE})", rf"\g<1>{REDACTED}", "born"),
    _rule("e-mail address", r"(?<![\w.%+-])[\w.%+-]{1,64}@[\w-]+(?:\.[\w-]+)+", hints="@"),
    _rule("telephone number", r"(?<![\w.:+-])(?:\+\d(?:[ ().-]{0,2}\d){8,14}|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4})(?![\w:-])"),
    _rule("social security number", r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"),
    _rule("patient", r"(?<![0-9a-z])(?-i:PT[0-9A-Z]{8})(?![0-9a-z])", PATIENT, "pt"),
)

_NAMED = re.compile(rf"(?:{_NAMES_OF_SECRETS})|cookie|{_NAMES_OF_IDENTIFIERS}", re.IGNORECASE)
_PERSONS, _PERSON = frozenset({"name", "patient", "subject"}), re.compile(rf"{_WORDS}{{1,3}}")


def redact(text: str) -> str:
    """The text without what must not leave."""
    small = text.lower()
    for rule in RULES:
        text = rule.apply(text, small)
    return text


def redact_field(name: str, value: str) -> str:
    """The value of a line's field, without what must not leave; nothing of it where the name says so."""
    if _NAMED.search(name) or (name.lower() in _PERSONS and _PERSON.fullmatch(value)):
        return REDACTED
    return redact(value)
