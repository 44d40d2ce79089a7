"""What is committed beside an offset: the topic's identity, and the object that is being written from there."""

from __future__ import annotations

import json
from dataclasses import dataclass

from applications.ingestion.consumer.objects import Name


@dataclass(frozen=True)
class Mark:
    """The metadata of a committed offset. Records before the offset are stored; `pending` may be stored or not."""

    epoch: str
    pending: Name | None = None

    def text(self) -> str:
        """The mark as Kafka keeps it."""
        return json.dumps({"epoch": self.epoch, **({"pending": self.pending.key} if self.pending else {})})

    @classmethod
    def parse(cls, text: str | None) -> Mark | None:
        """The mark in a committed offset's metadata; None where somebody else wrote it."""
        try:
            found = json.loads(text or "")
            epoch, key = found["epoch"], found.get("pending")
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        pending = Name.parse(key) if isinstance(key, str) else None
        if not isinstance(epoch, str) or (key is not None and pending is None):
            return None
        return cls(epoch, pending)
