"""Where to begin with a partition that was just assigned: behind the last record that is stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from applications.ingestion.consumer.buffers import Bounds, Buffer
from applications.ingestion.consumer.journal import Mark
from applications.ingestion.consumer.metrics import AGED_OUT
from applications.ingestion.consumer.records import Place
from applications.runtime.logs import log

Ends = Callable[[str, str], Mapping[int, int]]


class Offsets(Protocol):
    """What Kafka knows of partitions."""

    def epochs(self, topics: Collection[str]) -> dict[str, str]:
        """The identity of each topic."""

    def committed(self, places: Collection[Place]) -> dict[Place, tuple[int, str | None]]:
        """Committed offsets and their metadata."""

    def bounds(self, places: Collection[Place]) -> dict[Place, tuple[int, int]]:
        """The first offset and the next one."""


def open_buffers(source: Offsets, ends: Ends, places: Collection[Place], bounds: Bounds) -> tuple[list[Buffer], dict[Place, str]]:
    """A buffer for each partition, which says what is stored; and why the partitions that cannot be read cannot.

    Raises SourceError, StoreError.
    """
    epochs, committed, offsets = source.epochs({topic for topic, _ in places}), source.committed(places), source.bounds(places)
    listed: dict[str, Mapping[int, int]] = {}
    found, refused = [], dict[Place, str]()
    for place in sorted(places):
        (topic, partition), (low, high) = place, offsets[place]
        epoch = epochs[topic]
        offset, text = committed.get(place, (-1, None))
        mark = Mark.parse(text)
        if mark is not None and mark.epoch == epoch:
            buffer = Buffer(place, epoch, offset, bounds, mark.pending, journaled=mark.pending is not None)
        else:
            # No note of ours for this very topic: a first start, a topic made anew, offsets that expired or that somebody
            # set by hand. The bucket itself knows what is there.
            if topic not in listed:
                listed[topic] = ends(topic, epoch)
            if offset >= 0:
                log.warning("offset-not-ours", topic=topic, partition=partition, offset=offset)
            buffer = Buffer(place, epoch, listed[topic].get(partition, low), bounds)
        if low > buffer.position:
            _age(buffer, low)
        if buffer.position > high:
            # Its next records get offsets that bronze has already; taken for repeats they would be lost.
            refused[place] = (f"{topic} {partition} ends at {high} in Kafka and at {buffer.position} in bronze: Kafka lost "
                              "records. Delete the topic and run `./pipeline infrastructure start`, which makes it anew")
            log.error("kafka-lost-records", topic=topic, partition=partition, stored=buffer.position, end=high)
        else:
            found.append(buffer)
    return found, refused


def _age(buffer: Buffer, low: int) -> None:
    lost = low - buffer.position
    AGED_OUT.labels(buffer.place[0]).inc(lost)
    log.error("records-aged-out", topic=buffer.place[0], partition=buffer.place[1], first=buffer.position, offsets=lost)
    if buffer.pending is not None and buffer.pending.last < low:
        buffer.pending, buffer.journaled = None, False
    buffer.position = low
