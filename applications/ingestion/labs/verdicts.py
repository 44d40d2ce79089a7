"""What becomes of a message: the records that Kafka must have before the message may be acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any

from applications.clinical.models import EventType, Flag, LabEvent
from applications.clinical.reasons import Invalid, Reason, ReasonCode
from applications.clinical.validation import check
from applications.ingestion.labs.results import SOURCE, alert_of, canonical_event, canonical_of, flag_of
from applications.runtime.kafka import Position, Publisher, dead_letter

PRIORITY_QUEUE, RESULTS_QUEUE, DEAD_LETTER_QUEUE = "clinical.priority", "clinical.lab-results", "clinical.dead-letter"
FIRST_DEATH = "x-first-death-queue"
"""The header in which RabbitMQ says where a dead letter came from."""

Send = Callable[[Publisher], Future[Position]]


class Outcome(StrEnum):
    """What a message was found to be."""

    PUBLISHED = "published"
    INVALID = "invalid"
    """Refused; in the dead-letter topic with its reasons."""
    FORWARDED = "forwarded"
    """One that RabbitMQ gave up on; in the dead-letter topic as it came."""
    FAILED = "failed"
    """Given back to the queue after an unexpected error."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What to send, and what the metrics say of it afterwards: the alert's flag, when the event was recorded, why it is a
    dead letter."""

    outcome: Outcome
    sends: tuple[Send, ...]
    alert: Flag | None = None
    recorded: datetime | None = None
    reason: ReasonCode | None = None


Handle = Callable[[str, bytes, Mapping[str, Any]], Verdict]
"""Judges a message by the queue that it came from, its body and its headers."""


def laboratory_result(queue: str, body: bytes, headers: Mapping[str, Any]) -> Verdict:
    """The verdict on a message of the two queues of results. Raises only what nobody foresaw."""
    # Its sender judged the times when it took the event. Now is later, so that what it took is never refused for them here.
    try:
        event = check(body, datetime.now(UTC), EventType.LAB_RESULTS)
    except Invalid as error:
        return _dead(Outcome.INVALID, error.reasons, queue, body)
    assert isinstance(event, LabEvent), "the topic decides the type"
    result = canonical_of(event)
    flag = flag_of(result, event.payload.sex)
    sends = [_publish(EventType.LAB_RESULTS, event.patient_id, canonical_event(body, event, result, flag))]
    alert = alert_of(event, result, flag)
    if alert is not None:
        # Ahead of the result itself: of the two it is the one that somebody waits for.
        encoded = alert.model_dump_json(exclude_none=True).encode()
        sends.insert(0, _publish(EventType.CLINICAL_ALERTS, event.patient_id, encoded))
    return Verdict(outcome=Outcome.PUBLISHED, sends=tuple(sends), alert=flag if alert else None, recorded=event.recorded_time)


def given_up(queue: str, body: bytes, headers: Mapping[str, Any]) -> Verdict:
    """The verdict on a message that RabbitMQ gave up on: to the dead-letter topic, unread, since reading it may be what fails."""
    source = headers.get(FIRST_DEATH)
    reason = Reason(ReasonCode.REDELIVERY_LIMIT, "", "its consumer failed on it, or ended with it in hand, too often")
    return _dead(Outcome.FORWARDED, [reason], source if isinstance(source, str) else queue, body)


def _dead(outcome: Outcome, reasons: tuple[Reason, ...] | list[Reason], source: str, body: bytes) -> Verdict:
    return Verdict(outcome=outcome, reason=reasons[0].code, sends=(
        partial(dead_letter, service=SOURCE, reasons=reasons, raw=body, source=source),))


def _publish(topic: EventType, patient_id: str, value: bytes) -> Send:
    return lambda publisher: publisher.publish(topic, patient_id, value)
