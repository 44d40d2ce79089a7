"""Kafka and a bronze bucket in memory, as the consumer meets them, and a crash at any of their effects."""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

import pyarrow.parquet as pq

from applications.clinical.reasons import Reason
from applications.ingestion.consumer.bronze import StoreError
from applications.ingestion.consumer.objects import Name
from applications.ingestion.consumer.records import Place, Record
from applications.ingestion.consumer.service import Consumption
from applications.ingestion.consumer.settings import ConsumerSettings
from applications.ingestion.consumer.source import SourceError
from applications.runtime.kafka import Position, PublishError

EPOCH, OTHER_EPOCH = "0123456789ab", "ba9876543210"
HOUR_MS = 3_600_000
VITALS, LABS, LETTERS = "patient-vitals", "lab-results", "dead-letter"
PLACE = (VITALS, 0)


class Crash(Exception):
    """The process is killed here: nothing of it catches this."""


def settings(**changes: object) -> ConsumerSettings:
    """Small bounds."""
    given = {"kafka_bootstrap": "none", "s3_endpoint": "http://none", "lake_secret_key": "x", "flush_records": 5,
             "flush_bytes": 100_000, "flush_seconds": 10, "max_memory_bytes": 1_000_000, "topics": (VITALS, LABS, LETTERS)}
    return ConsumerSettings.model_validate({**given, **changes})


@dataclass
class World:
    """What outlives a consumer: the topics, the committed offsets, the bucket, the dead letters, and the time."""

    records: dict[Place, list[Record]] = field(default_factory=dict)
    lows: dict[Place, int] = field(default_factory=dict)
    highs: dict[Place, int] = field(default_factory=dict)
    epochs: dict[str, str] = field(default_factory=dict)
    committed: dict[Place, tuple[int, str | None]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    letters: list[tuple[str, int, int]] = field(default_factory=list)
    now: float = 1000.0
    member: Member | None = None
    """The one that owns all partitions: Kafka takes commits of no other."""
    effects: int = 0
    crash_at: int | None = None
    crashed: str = ""
    log: list[str] = field(default_factory=list)
    fail: Callable[[str], Exception | None] = lambda _: None
    """What an effect answers in place of its success; the effect has not happened then."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def produce(self, place: Place, offsets: Iterable[int], *, hour: int | Callable[[int], int] = 100, value: bytes = b'{"a":1}',
                key: bytes | None = b"PT") -> None:
        """Appends records."""
        for offset in offsets:
            at = (hour(offset) if callable(hour) else hour) * HOUR_MS + offset
            self.records.setdefault(place, []).append(Record(offset, at, key, value, (("h", b"1"),), 0.0))
            self.highs[place] = offset + 1
        self.epochs.setdefault(place[0], EPOCH)

    def effect(self, what: str, act: Callable[[], None]) -> None:
        """Something that is seen outside of the process; it may crash just before it, and just after it."""
        with self.lock:
            self._point(f"before {what}")
            refusal = self.fail(what)
            if refusal is not None:
                raise refusal
            act()
            self.log.append(what)
            self._point(f"after {what}")

    def _point(self, where: str) -> None:
        self.effects += 1
        if self.crash_at is not None and self.effects >= self.crash_at:
            self.crashed = self.crashed or where
            raise Crash(where)

    def send(self, place: Place, record: Record, reason: Reason, raw: bytes) -> Future[Position]:
        """Publishes a dead letter."""
        future: Future[Position] = Future()
        try:
            self.effect("letter", lambda: self.letters.append((*place, record.offset)))
            future.set_result(Position(LETTERS, 0, len(self.letters)))
        except PublishError as error:
            future.set_exception(error)
        return future

    def consumption(self, **changes: object) -> Consumption:
        """A new process, which is given all partitions."""
        self.member = Member(self)
        return Consumption(settings(**changes), self.member, Bucket(self), self.send, lambda: self.now)

    def settle(self, consumption: Consumption, steps: int = 40, seconds: float = 4.0) -> None:
        """Lets time pass until all is stored."""
        for _ in range(steps):
            consumption.step()
            self.now += seconds

    def stored(self) -> Counter[tuple[str, int, int]]:
        """How often each position stands in the bucket; each object holds what its name says."""
        found: Counter[tuple[str, int, int]] = Counter()
        for key, content in self.objects.items():
            name, table = Name.parse(key), pq.read_table(io.BytesIO(content))
            rows = table.to_pylist()
            assert name is not None and (rows[0]["offset"], rows[-1]["offset"]) == (name.first, name.last), key
            assert {int(row["timestamp"].timestamp() * 1000) // HOUR_MS for row in rows} == {name.hour}, key
            found.update((row["topic"], row["partition"], row["offset"]) for row in rows)
        return found

    def wanted(self) -> Counter[tuple[str, int, int]]:
        """Every position of every topic, once."""
        return Counter((*place, record.offset) for place, records in self.records.items() for record in records)


class Member:
    """A consumer's connection."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.positions: dict[Place, int] = {}
        self.paused: set[Place] = set()
        self.most = 3
        self.ended = False
        self.joined = False
        self.broken = False

    def subscribe(self, assigned: Callable[[list[Place]], None], revoked: Callable[[list[Place]], None],
                  lost: Callable[[list[Place]], None]) -> None:
        self.assigned, self.revoked, self.lost = assigned, revoked, lost

    def poll(self, seconds: float) -> Iterator[tuple[Place, Record | int]]:
        if not self.joined:
            self.joined = True
            self.assigned(list(self.world.records))
        for place in list(self.positions):
            if place in self.paused:
                continue
            new = [r for r in self.world.records[place] if r.offset >= self.positions[place]][:self.most]
            for record in new:
                yield place, record._replace(arrived=self.world.now)
            self.positions[place] = new[-1].offset + 1 if new else self.world.highs[place]
            if not new:
                yield place, self.world.highs[place]

    def start(self, positions: Mapping[Place, int]) -> None:
        self.positions, self.paused = dict(positions), set()

    def pause(self, places: Collection[Place]) -> None:
        self.paused |= set(places)

    def resume(self, places: Collection[Place]) -> None:
        self.paused -= set(places)

    def committed(self, places: Collection[Place]) -> dict[Place, tuple[int, str | None]]:
        return {place: self.world.committed[place] for place in places if place in self.world.committed}

    def commit(self, marks: Mapping[Place, tuple[int, str]]) -> None:
        if self.world.member is not self:
            raise SourceError("Specified group generation id is not valid")
        self.world.effect("commit", lambda: self.world.committed.update(marks))

    def bounds(self, places: Collection[Place]) -> dict[Place, tuple[int, int]]:
        return {place: (self.world.lows.get(place, 0), self.world.highs[place]) for place in places}

    def epochs(self, topics: Collection[str]) -> dict[str, str]:
        return {topic: self.world.epochs[topic] for topic in topics}

    def check(self) -> str | None:
        return "Kafka does not answer" if self.broken else None

    def close(self) -> None:
        self.ended = True


class Bucket:
    """The bronze bucket."""

    def __init__(self, world: World) -> None:
        self.world = world

    def put(self, name: Name, content: bytes) -> bool:
        new = name.key not in self.world.objects
        self.world.effect("put", lambda: self.world.objects.update({name.key: content} if new else {}))
        return new

    def ends(self, topic: str, epoch: str) -> Mapping[int, int]:
        if isinstance(self.world.fail("list"), StoreError):
            raise StoreError("away")
        names = [name for name in map(Name.parse, self.world.objects) if name and (name.topic, name.epoch) == (topic, epoch)]
        return {partition: max(n.last for n in names if n.partition == partition) + 1 for partition in {n.partition for n in names}}


def world_of(*offsets: int, place: Place = PLACE, **more: object) -> World:
    """A world with one partition."""
    world = World()
    world.produce(place, offsets, **more)  # type: ignore[arg-type]
    return world


def names(world: World) -> list[tuple[int, int]]:
    """First and last offset of each object, in the order of their offsets."""
    return sorted((name.first, name.last) for name in map(Name.parse, world.objects) if name)


def steps(consumption: Consumption, count: int = 6) -> None:
    """Turns without time passing."""
    for _ in range(count):
        consumption.step()


def failing(what: str, error: Exception) -> Callable[[str], Exception | None]:
    """Fails every effect of that kind."""
    return lambda effect: error if effect == what else None


def health(consumption: Consumption) -> dict[str, str]:
    """The checks that fail."""
    return {name: words for name, check in consumption.checks.items() if (words := check())}
