"""What was read and is not stored yet, by partition."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile

from applications.ingestion.consumer.objects import Name
from applications.ingestion.consumer.records import Place, Record


@dataclass(frozen=True)
class Bounds:
    """When a partition's records become an object: so many, so many bytes, or so old (seconds)."""

    records: int
    bytes: int
    seconds: float


@dataclass
class Buffer:
    """The records of one partition, in order.

    `position` is the offset up to which all is stored and committed. `pending` is the object that is being written; it is
    `journaled` once Kafka has its name, and from then on it is that object and no other.
    """

    place: Place
    epoch: str
    position: int
    bounds: Bounds
    pending: Name | None = None
    journaled: bool = False
    records: list[Record] = field(default_factory=list)
    bytes: int = 0
    failures: int = 0
    """How often its object could not be written, since the last one that was."""
    passed: int = -1
    """The highest offset that cannot come any more: of the last record, or before the partition's end."""

    def add(self, record: Record) -> None:
        """Takes a record; one that was taken already is left out."""
        if record.offset >= self.position and record.offset > self.passed:
            self.records.append(record)
            self.bytes += record.size
            self.passed = record.offset

    def reach_end(self, offset: int) -> None:
        """Notes that the partition ends before `offset` for now."""
        self.passed = max(self.passed, offset - 1)

    @property
    def ready(self) -> bool:
        """Whether an object can be written."""
        return not self.awaited if self.pending is not None else bool(self.records)

    @property
    def awaited(self) -> bool:
        """Whether records of the pending object are still to be read again."""
        return self.pending is not None and self.passed < self.pending.last

    def waiting_since(self) -> float | None:
        """When the oldest record arrived; None without any."""
        return self.records[0].arrived if self.records else None

    def due(self, now: float) -> bool:
        """Whether an object is to be written now."""
        if self.pending is not None:
            return not self.awaited
        return bool(self.records) and (len(self.records) >= self.bounds.records or self.bytes >= self.bounds.bytes
                                       or now - self.records[0].arrived >= self.bounds.seconds)

    def choose(self) -> Name:
        """Chooses the next object if none is pending: the first records, of one hour, within the bounds."""
        if self.pending is None:
            first, last, size = self.records[0], self.records[0], 0
            for record in self.records[:self.bounds.records]:
                size += record.size
                if record.hour != first.hour or (size > self.bounds.bytes and record is not first):
                    break
                last = record
            topic, partition = self.place
            self.pending = Name(topic, partition, first.offset, last.offset, first.hour, self.epoch)
        return self.pending

    def content(self) -> list[Record]:
        """The records of the pending object. Fewer than at first, or none, where Kafka removed some since they were named."""
        assert self.pending is not None
        last = self.pending.last
        return list(takewhile(lambda record: record.offset <= last, self.records))

    def stored(self) -> int:
        """Lets go of the pending object's records, which are stored; returns how many there were."""
        content = self.content()
        assert self.pending is not None
        del self.records[:len(content)]
        self.bytes -= sum(record.size for record in content)
        self.position, self.pending, self.journaled, self.failures = self.pending.last + 1, None, False, 0
        return len(content)
