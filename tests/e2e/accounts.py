"""What must become of records, worked out by the data contract's own validation: rows of silver, or of the quarantine."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from applications.clinical.models import DEAD_LETTER_TOPIC, INGRESS, DeadLetter, Event
from applications.clinical.reasons import Invalid
from applications.clinical.validation import check
from tests.e2e.lake import Lake, Position, Record


class Accounts:
    """The fate of records by position: `valid` events by event_id, `invalid` ones with their reasons by position, and the
    bytes of each dead letter by its identity (the position that it names, else its own)."""

    def __init__(self, records: Mapping[Position, Record]) -> None:
        self.valid: dict[str, Event] = {}
        self.invalid: dict[Position, Invalid] = {}
        self.letters: dict[Position, bytes] = {}
        for position, record in records.items():
            if position[0] in INGRESS:
                self._judge(position, record)
            elif position[0] == DEAD_LETTER_TOPIC:
                identity, raw = letter(position, record)
                self.letters[identity] = raw

    def _judge(self, position: Position, record: Record) -> None:
        try:
            event = check(record.value, datetime.fromtimestamp(record.timestamp / 1000, UTC), position[0])
            self.valid[str(event.event_id)] = event
        except Invalid as found:
            self.invalid[position] = found

    @property
    def refused(self) -> set[Position]:
        """The identities of all that belongs into quarantine."""
        return {*self.invalid, *self.letters}

    def settled(self, lake: Lake) -> bool:
        """Whether silver and quarantine have as many rows as there are events and refusals."""
        found = sum(len(lake.table(f"silver/{kind}", ["event_id"])) for kind in INGRESS)
        return found >= len(self.valid) and len(lake.table("quarantine/events", ["reason"])) >= len(self.refused)


def letter(position: Position, record: Record) -> tuple[Position, bytes]:
    """The identity of a dead letter and the bytes that it is about."""
    raw = record.value or b""
    try:
        found = DeadLetter.model_validate_json(raw)
    except ValueError:
        return position, raw  # no letter at all: it is its own
    if found.source_topic is None or found.source_offset is None:
        return position, base64.b64decode(found.raw)
    return (found.source_topic, found.source_partition or 0, found.source_offset), base64.b64decode(found.raw)


def positions(rows: list[dict[str, Any]]) -> list[Position]:
    """The source positions of quarantined records."""
    return [(row["source_topic"], row["source_partition"], row["source_offset"]) for row in rows]
