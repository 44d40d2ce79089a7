"""When objects are written, what happens when the store, the broker or the memory is not there, and what health says."""

from __future__ import annotations

from itertools import pairwise

import pytest
from pydantic import ValidationError

from applications.ingestion.consumer import letters
from applications.ingestion.consumer.bronze import StoreError
from applications.ingestion.consumer.objects import Name
from applications.ingestion.consumer.service import LONGEST_PAUSE_SECONDS
from applications.ingestion.consumer.settings import TOPICS, ConsumerSettings
from applications.runtime.kafka import PublishError
from components.infrastructure import tables
from tests.unit.ingestion.consumer_world import LABS, LETTERS, PLACE, VITALS, failing, health, names, settings, steps, world_of


def test_every_topic_of_the_platform_is_read() -> None:
    assert set(TOPICS) == {spec.name for spec in tables.TOPICS}


def test_an_object_is_written_when_there_are_so_many_records() -> None:
    world = world_of(*range(12))
    consumption = world.consumption(flush_records=5, flush_seconds=1000)
    steps(consumption)
    assert names(world) == [(0, 4), (5, 9)]


def test_an_object_is_written_when_there_are_so_many_bytes() -> None:
    world = world_of(*range(6), value=b'"' + b"x" * 998 + b'"')
    steps(world.consumption(flush_records=1000, flush_bytes=2700, flush_seconds=1000))
    assert names(world) == [(0, 1), (2, 3)]


def test_a_record_larger_than_an_object_is_an_object() -> None:
    world = world_of(0, 1, value=b"x" * 5000)
    steps(world.consumption(flush_bytes=100, flush_seconds=1000))
    assert names(world) == [(0, 0), (1, 1)]


def test_an_object_is_written_in_time_when_nothing_more_comes() -> None:
    world = world_of(0, 1)
    consumption = world.consumption(flush_records=1000, flush_seconds=10)
    steps(consumption)
    assert not world.objects
    world.now += 10
    consumption.step()
    assert names(world) == [(0, 1)]


def test_a_slow_partition_is_written_in_time_beside_a_busy_one() -> None:
    world = world_of(0)
    world.produce((LABS, 0), range(200))
    consumption = world.consumption(flush_records=5, flush_seconds=10)
    for _ in range(25):
        consumption.step()
        world.now += 0.5
    assert (VITALS, 0, 0) in world.stored()
    assert len(world.highs) == 2 and len(world.stored()) > 50


def test_an_object_ends_where_the_hour_ends() -> None:
    world = world_of(*range(10), hour=lambda offset: 100 if offset in (0, 1, 2, 4, 5) else 101)
    world.settle(world.consumption(flush_records=100))
    assert names(world) == [(0, 2), (3, 3), (4, 5), (6, 9)]
    assert world.stored() == world.wanted()


def test_an_offset_is_committed_only_when_its_object_is_stored() -> None:
    world = world_of(*range(5))
    world.fail = failing("put", StoreError("away"))
    world.settle(world.consumption())
    assert world.committed[PLACE][0] == 0
    world.fail = lambda _: None
    world.settle(world.consumption())
    assert world.committed[PLACE][0] == 5 and world.stored() == world.wanted()


def test_a_store_that_is_away_is_asked_ever_more_rarely() -> None:
    world, tried = world_of(*range(5)), []
    world.fail = lambda effect: tried.append(world.now) or StoreError("away") if effect == "put" else None
    consumption = world.consumption()
    for _ in range(400):
        consumption.step()
        world.now += 0.5
    pauses = [after - before for before, after in pairwise(tried)]
    assert pauses == sorted(pauses) and max(pauses) <= LONGEST_PAUSE_SECONDS + 1
    assert len(tried) < 25
    assert "records wait since" in health(consumption)["store"] and "away" in health(consumption)["store"]
    world.fail = lambda _: None
    world.now += LONGEST_PAUSE_SECONDS
    steps(consumption)
    assert not health(consumption) and world.stored() == world.wanted()


def test_memory_is_bounded_while_the_store_is_away_and_nothing_is_lost() -> None:
    world = world_of(*range(300), value=b'"' + b"x" * 700 + b'"')
    world.produce((LABS, 0), range(300), value=b'"' + b"x" * 700 + b'"')
    world.fail = failing("put", StoreError("away"))
    consumption = world.consumption(max_memory_bytes=40_000, flush_bytes=10_000)
    most = 0
    for _ in range(100):
        consumption.step()
        world.now += 1
        most = max(most, sum(buffer.bytes for buffer in consumption._buffers.values()))
    member = world.member
    assert member is not None and member.paused == {PLACE, (LABS, 0)}
    assert 40_000 <= most <= 40_000 + 2 * 3 * 1100, "one turn's records more than the bound at most"
    world.fail = lambda _: None
    world.settle(consumption, steps=300)
    assert not member.paused and world.stored() == world.wanted()


def test_the_biggest_buffer_goes_first_when_memory_is_full() -> None:
    world = world_of(*range(60), value=b'"' + b"x" * 700 + b'"')
    world.produce((LABS, 0), range(20))
    consumption = world.consumption(max_memory_bytes=30_000, flush_bytes=30_000, flush_records=1000, flush_seconds=1000)
    steps(consumption, 12)
    assert {key.split("/")[0] for key in world.objects} == {VITALS}


def test_one_object_that_can_never_be_stored_does_not_keep_the_others_from_it() -> None:
    world = world_of(*range(5), place=(LABS, 0))
    world.produce(PLACE, range(40))
    consumption = world.consumption(flush_records=5)
    original = consumption._writer._store.put

    def put(name: Name, content: bytes) -> bool:
        if name.topic == LABS:
            raise StoreError("refused")
        return original(name, content)

    consumption._writer._store.put = put  # type: ignore[method-assign]
    world.settle(consumption, steps=60)
    assert {position for position in world.stored() if position[0] == VITALS} == {(*PLACE, offset) for offset in range(40)}
    assert "refused" in health(consumption)["store"]


def test_what_cannot_be_read_is_stored_and_reported_before_its_offset_is_committed() -> None:
    world = world_of(0, 1)
    world.produce(PLACE, [2], value=b"\xff")
    world.settle(world.consumption())
    assert world.letters == [(*PLACE, 2)]
    assert world.log == ["commit", "put", "letter", "commit"]
    assert world.stored() == world.wanted()


def test_a_letter_that_is_not_confirmed_holds_the_offset_back() -> None:
    world = world_of(0, value=b"\xff")
    world.fail = failing("letter", PublishError("full"))
    consumption = world.consumption()
    world.settle(consumption)
    assert world.committed[PLACE][0] == 0 and "full" in health(consumption)["store"]
    world.fail = lambda _: None
    world.settle(consumption)
    assert world.committed[PLACE][0] == 1 and set(world.letters) == {(*PLACE, 0)}


def test_records_of_the_dead_letter_topic_are_stored_and_never_reported() -> None:
    world = world_of(0, 1, place=(LETTERS, 0), value=b"\xff")
    world.settle(world.consumption())
    assert world.stored() == world.wanted() and not world.letters


def test_a_letter_fits_into_a_message_whatever_the_record() -> None:
    world = world_of(0, value=b"\xff" * (letters.MOST_RAW + 1), key=b"k" * (letters.MOST_KEY + 1))
    sent: list[tuple[bytes | None, bytes]] = []

    def send(place: object, record: object, reason: object, raw: bytes) -> object:
        sent.append((record.key, raw))  # type: ignore[attr-defined]
        return world.send(place, record, reason, raw)  # type: ignore[arg-type]

    letters.report(PLACE, world.records[PLACE], send)  # type: ignore[arg-type]
    assert sent == [(None, b"")] and world.letters == [(*PLACE, 0)]


def test_settings_say_what_is_wrong() -> None:
    with pytest.raises(ValidationError, match="flush_bytes must not be more than max_memory_bytes"):
        settings(flush_bytes=10, max_memory_bytes=5)
    with pytest.raises(ValidationError, match="topics"):
        settings(topics=" , ")
    assert settings(topics="a, b").topics == ("a", "b")
    assert "secret" not in repr(ConsumerSettings.model_validate({**settings().model_dump(), "lake_secret_key": "secret"}))
