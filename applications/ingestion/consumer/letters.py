"""Reporting what cannot be read, before its offset is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from itertools import islice

from applications.clinical.models import DEAD_LETTER_TOPIC
from applications.clinical.reasons import Reason
from applications.ingestion.consumer.metrics import DEAD_LETTERS
from applications.ingestion.consumer.records import Place, Record, fault
from applications.runtime.kafka import Position, PublishError

AT_ONCE = 200
MOST_RAW, MOST_KEY = 2 * 1024 * 1024, 64 * 1024
"""A dead letter holds the record in base64 and must fit into a message itself; what is larger stands in bronze alone."""
CONFIRM_SECONDS = 20
Send = Callable[[Place, Record, Reason, bytes], Future[Position]]


class LetterError(Exception):
    """A dead letter that Kafka did not confirm."""


def report(place: Place, records: Iterable[Record], send: Send) -> None:
    """Sends a dead letter for each record that cannot be read, and waits until Kafka has them. Raises LetterError.

    Never for records of the dead-letter topic: they would go round for ever. A letter may come twice after a crash; its
    position tells that it is the same.
    """
    if place[0] == DEAD_LETTER_TOPIC:
        return
    found = ((record, reason) for record in records if (reason := fault(record.value)) is not None)
    while batch := list(islice(found, AT_ONCE)):
        _confirm(place, batch, send)


def _confirm(place: Place, batch: Sequence[tuple[Record, Reason]], send: Send) -> None:
    sent = []
    for record, reason in batch:
        raw, key = record.value or b"", record.key or b""
        sent.append(send(place, record._replace(key=record.key if len(key) <= MOST_KEY else None), reason,
                         raw if len(raw) <= MOST_RAW else b""))
    for future, (_, reason) in zip(sent, batch, strict=True):
        try:
            future.result(CONFIRM_SECONDS)
        except (PublishError, TooLate) as error:
            raise LetterError(f"a dead letter was not confirmed: {error or 'no answer'}") from None
        DEAD_LETTERS.labels(place[0], reason.code).inc()
