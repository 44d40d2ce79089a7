"""Which faults strike, in which order: drawn at random, and always the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of faults."""

    KILL = "kill -9"
    """SIGKILL to the first process of a container."""
    PAUSE = "pause"
    """All processes of a container stand still, connections stay open."""
    CUT = "network cut"
    """Two services lose every packet of each other; each reaches all others."""
    RESTART = "restart of all"
    """Every container is restarted at the same moment, in no order."""
    DISK = "disk full"
    """Not a byte is left on the volume of a service."""


ROUND = (Kind.KILL, Kind.KILL, Kind.PAUSE, Kind.CUT, Kind.CUT, Kind.RESTART, Kind.DISK)
"""How often each kind comes among seven faults; their order is drawn."""
SECONDS = {Kind.KILL: (0, 0), Kind.PAUSE: (5, 40), Kind.CUT: (10, 60), Kind.RESTART: (0, 10), Kind.DISK: (15, 60)}
"""How long a fault lasts, from and to. Of a restart: how long containers may take to end before they are killed."""
QUIET_SECONDS = (3, 12)
TALKING = (
    ("zookeeper", "kafka"), ("kafka", "kafka-producer"), ("kafka", "clinical-data-gateway"), ("kafka", "lab-results-processor"),
    ("kafka", "kafka-consumer"), ("kafka", "spark-streaming"), ("kafka", "spark-worker"), ("clinical-mq", "clinical-data-gateway"),
    ("clinical-mq", "lab-results-processor"), ("clinical-data-gateway", "clinical-data-generator"), ("minio", "kafka-consumer"),
    ("minio", "spark-streaming"), ("minio", "spark-worker"), ("minio", "spark-batch"), ("spark-master", "spark-worker"),
    ("spark-master", "spark-streaming"), ("spark-worker", "spark-streaming"), ("redis", "redis-insight"))
"""Services that talk to each other. A cut between two that never do would prove nothing."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: `number` counts within its seed, `seconds` is how long it lasts, `quiet` how long nothing strikes before."""

    seed: int
    number: int
    kind: Kind
    targets: tuple[str, ...]
    seconds: int
    quiet: int


def plan(seed: int, count: int, services: Collection[str], disks: Collection[str]) -> list[Fault]:
    """The faults of one seed for these services, of which `disks` have a volume that can be filled."""
    draw = random.Random(seed)
    return [Fault(seed=seed, number=number, kind=kind, targets=_targets(draw, kind, sorted(services), sorted(disks)),
                  seconds=draw.randint(*SECONDS[kind]), quiet=draw.randint(*QUIET_SECONDS))
            for number, kind in enumerate(_kinds(draw, count), start=1)]


def shares(count: int, seeds: Sequence[int]) -> dict[int, int]:
    """How many of `count` faults each seed gets: as equal as can be, the first ones one more."""
    each, more = divmod(count, len(seeds))
    return {seed: each + (index < more) for index, seed in enumerate(seeds)}


def _kinds(draw: random.Random, count: int) -> Iterator[Kind]:
    for begin in range(0, count, len(ROUND)):
        yield from draw.sample(ROUND, len(ROUND))[:count - begin]


def _targets(draw: random.Random, kind: Kind, services: Sequence[str], disks: Sequence[str]) -> tuple[str, ...]:
    match kind:
        case Kind.RESTART:
            return ()
        case Kind.CUT:
            return draw.choice([pair for pair in TALKING if set(pair) <= set(services)])
        case Kind.DISK:
            return (draw.choice(disks),)
        case _:
            return (draw.choice(services),)
