"""Nothing is lost and nothing stands twice in bronze, wherever the consumer is killed."""

from __future__ import annotations

import random

import pytest

from applications.ingestion.consumer.bronze import StoreError
from applications.ingestion.consumer.source import SourceError
from tests.unit.ingestion.consumer_world import LABS, LETTERS, VITALS, Bucket, Crash, World

BAD = [(VITALS, 0, 7), (VITALS, 0, 8), (LABS, 0, 3)]


def flow() -> World:
    """Three partitions: gaps, an hour's border that records cross back and forth, records that cannot be read."""
    world = World()
    world.produce((VITALS, 0), range(7))
    world.produce((VITALS, 0), (7, 8), value=b"\xff")
    world.produce((VITALS, 0), (10, 11, 15, 16, 17, 30), hour=lambda offset: 101 if offset in (11, 16, 17, 30) else 100)
    world.produce((VITALS, 1), range(40, 45))
    world.lows[VITALS, 1] = 40
    world.produce((LABS, 0), range(3))
    world.produce((LABS, 0), [3], value=b"[1]")
    world.produce((LETTERS, 0), [0], value=b"no letter")
    world.highs[LABS, 0] = 6  # ends with what a transaction left: offsets without records
    return world


def check(world: World) -> None:
    """Everything is there once, and everything that cannot be read was reported."""
    assert world.stored() == world.wanted()
    assert set(world.letters) == set(BAD)
    for place, records in world.records.items():
        assert world.committed[place][0] == records[-1].offset + 1


def run_until_killed(world: World, **changes: object) -> str:
    """Runs a process until the world kills it; where."""
    consumption, world.crashed = world.consumption(**changes), ""
    with pytest.raises(Crash):
        world.settle(consumption)
    consumption._writer.close()  # a killed process has no threads that go on
    return world.crashed


def effects_of_a_run() -> int:
    """How many places there are to be killed at."""
    world = flow()
    world.settle(world.consumption())
    check(world)
    assert len(world.letters) == len(BAD)
    return world.effects


def test_a_kill_at_any_point() -> None:
    total, places = effects_of_a_run(), set()
    for point in range(1, total + 1):
        world = flow()
        world.crash_at = point
        places.add(run_until_killed(world))
        world.crash_at = None
        # The next one cuts its objects elsewhere.
        world.settle(world.consumption(flush_records=4 + point % 3, flush_seconds=7))
        check(world)
    assert places == {f"{when} {what}" for when in ("before", "after") for what in ("commit", "put", "letter")}


def test_many_kills_in_a_row_while_records_come() -> None:
    for seed in range(20):
        chance, world = random.Random(seed), flow()
        for round_ in range(6):
            world.crash_at = world.effects + chance.randint(1, 14)
            run_until_killed(world, flush_records=chance.randint(1, 9), flush_seconds=chance.choice((1, 5, 20)))
            world.produce((VITALS, 1), range(100 * (round_ + 1), 100 * (round_ + 1) + 9), hour=lambda o: 100 + o % 5 // 4)
        world.crash_at = None
        world.settle(world.consumption(flush_records=6), steps=100)
        check(world)


@pytest.mark.parametrize("what, error", [("commit", SourceError("timed out")), ("put", StoreError("timed out"))])
@pytest.mark.parametrize("applied", [False, True], ids=["not done", "done without an answer"])
def test_an_answer_that_does_not_come(what: str, error: Exception, applied: bool) -> None:
    """After a timeout nobody knows whether it was done; the same object is tried again, not another one."""
    for chosen in range(12):
        world, seen = flow(), 0
        consumption = world.consumption()

        def fail(effect: str, chosen: int = chosen, world: World = world) -> Exception | None:
            nonlocal seen
            seen += effect == what
            return error if effect == what and seen == chosen + 1 else None

        if applied:
            lose_answer(world, what, chosen, error)
        else:
            world.fail = fail
        world.settle(consumption)
        check(world)
        assert len(world.letters) >= len(BAD)


def lose_answer(world: World, what: str, chosen: int, error: Exception) -> None:
    """Does the chosen effect and then fails it."""
    original, seen = world.effect, 0

    def effect(name: str, act: object) -> None:
        nonlocal seen
        original(name, act)  # type: ignore[arg-type]
        seen += name == what
        if name == what and seen == chosen + 1:
            raise error

    world.effect = effect  # type: ignore[assignment,method-assign]


def test_a_put_that_arrives_when_another_owns_the_partition() -> None:
    """The store may finish an upload long after its sender was given up; it is then the object that the next owner wrote."""
    world = flow()
    world.crash_at = 3  # the names are in the journal, the first object is on its way
    assert run_until_killed(world) == "before put"
    late = {}

    class Late(Bucket):
        """Remembers what a process sends, for it to arrive later."""

        def put(self, name: object, content: bytes) -> bool:
            late[name.key] = content  # type: ignore[attr-defined]
            raise Crash("on its way")

    world.crash_at = None
    hanging = world.consumption()
    hanging._writer._store = Late(world)
    with pytest.raises(Crash):
        world.settle(hanging)
    world.settle(world.consumption(flush_records=3))
    assert late
    for key, content in late.items():
        assert world.objects[key] == content
    check(world)


def test_a_consumer_that_lost_its_partitions_unknowingly_writes_nothing() -> None:
    world = flow()
    old = world.consumption()
    for _ in range(2):
        old.step()
    before = dict(world.objects)
    new = world.consumption(flush_records=2)
    world.now += 60
    for _ in range(20):
        old.step()
        world.now += 5
    assert world.objects == before
    world.settle(new)
    check(world)
