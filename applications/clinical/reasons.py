"""Why something is refused: codes that are counted, and words that help the sender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class ReasonCode(StrEnum):
    """The reasons of a rejection, as quarantine and metrics name them."""

    NOT_JSON = "not-json"
    NOT_AN_OBJECT = "not-an-object"
    NOT_PARSED = "not-parsed"
    """FHIR or HL7 that could not be read."""
    MISSING_FIELD = "missing-field"
    WRONG_TYPE = "wrong-type"
    INVALID_VALUE = "invalid-value"
    UNKNOWN_EVENT_TYPE = "unknown-event-type"
    WRONG_TOPIC = "wrong-topic"
    UNKNOWN_VERSION = "unknown-version"
    UNKNOWN_CODE = "unknown-code"
    UNIT_MISMATCH = "unit-mismatch"
    IMPOSSIBLE_VALUE = "impossible-value"
    EVENT_IN_FUTURE = "event-in-future"
    BEFORE_ENROLMENT = "before-enrolment"
    SYSTOLIC_NOT_ABOVE_DIASTOLIC = "systolic-not-above-diastolic"
    END_BEFORE_START = "end-before-start"
    SEVERE_WITHOUT_ACTION = "severe-without-action"
    REPEATED_CODE = "repeated-code"
    NO_VALUE = "no-value"
    """A Kafka record without a value."""
    REDELIVERY_LIMIT = "redelivery-limit"
    """A message that its consumer failed on too often."""


@dataclass(frozen=True)
class Reason:
    """One fault: its code, where it is (a path like `payload.measurements[0].unit`), and what is wrong.

    The message names no value of the event: it goes to logs' readers and to whoever sent the event alike.
    """

    code: ReasonCode
    field: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """The reason as JSON holds it."""
        return asdict(self)


class Invalid(Exception):
    """An event with faults; `reasons` holds every one of them, at least one."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        assert reasons
        self.reasons = tuple(reasons)
        super().__init__("; ".join(f"{reason.field}: {reason.message}" for reason in reasons))

    @property
    def code(self) -> ReasonCode:
        """The first reason's code, under which the event is counted and filed."""
        return self.reasons[0].code


class Unparseable(Exception):
    """A message that is not the format that it claims to be; the text says why, without its content."""
