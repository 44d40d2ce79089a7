"""What is there held against what was promised: nothing may be lost, nothing may be there twice."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from applications.clinical.models import DEAD_LETTER_TOPIC, INGRESS
from tests.e2e.accounts import Accounts, positions
from tests.e2e.lake import Position, Record


@dataclass(frozen=True)
class Verdict:
    """What is missing, and what is there more than once."""

    lost: frozenset[Any]
    doubled: frozenset[Any]

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.lost and not self.doubled


def compare(promised: Collection[Any], found: Mapping[Any, int]) -> Verdict:
    """Each of `promised` must be found, and whatever is found must be there once."""
    return Verdict(lost=frozenset(one for one in promised if found.get(one, 0) < 1),
                   doubled=frozenset(one for one, count in found.items() if count > 1))


def event_of(position: Position, record: Record) -> str | None:
    """The event_id of a record, or of the event in a dead letter; None where there is none to be read."""
    try:
        value = json.loads(record.value or b"")
        return _id(base64.b64decode(value["raw"])) if position[0] == DEAD_LETTER_TOPIC else str(value["event_id"])
    except (ValueError, KeyError, TypeError):
        return None


def _id(raw: bytes) -> str | None:
    try:
        return str(json.loads(raw)["event_id"])
    except (ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True)
class Ending:
    """What every store holds once all is at rest."""

    promised: set[str]
    """The ids of the events that the gateway took from the client."""
    kafka: Mapping[Position, Record]
    bronze: Mapping[Position, Record]
    copies: Mapping[Position, int]
    """How often each position stands in bronze."""
    silver: Mapping[str, list[dict[str, Any]]]
    quarantine: list[dict[str, Any]]

    def verdicts(self) -> dict[str, Verdict]:
        """Each rule by its words, and what became of it."""
        due = Accounts(self.bronze)
        silver = Counter(row["event_id"] for rows in self.silver.values() for row in rows)
        refused = Counter(event_id for row in self.quarantine if (event_id := _id(row["raw"] or b"")) in self.promised)
        ours = Counter({event_id: count for event_id, count in silver.items() if event_id in self.promised}) + refused
        return {
            "every accepted event once in silver or quarantine": compare(self.promised, ours),
            "every record of Kafka once in bronze": compare(self.kafka.keys(), self.copies),
            "every valid event of bronze once in silver": compare(due.valid.keys(), silver),
            "every refusal once in quarantine": compare(due.refused, Counter(positions(self.quarantine))),
        }

    def repeated(self) -> int:
        """How many of the accepted events have more than one record, each at a position of its own; silver merges these."""
        counts = Counter(event_of(position, record) for position, record in self.bronze.items() if position[0] in INGRESS)
        return sum(counts[event_id] > 1 for event_id in self.promised)
