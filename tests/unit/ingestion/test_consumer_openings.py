"""Where the consumer begins: after a rebalance, a stop, a crash, and when Kafka or its own note is not what it was."""

from __future__ import annotations

import io

import pyarrow.parquet as pq
import pytest

from applications.ingestion.consumer.bronze import StoreError
from applications.ingestion.consumer.buffers import Bounds, Buffer
from applications.ingestion.consumer.metrics import AGED_OUT
from applications.ingestion.consumer.objects import Name
from applications.ingestion.consumer.records import Record
from applications.ingestion.consumer.service import TopicMadeAnew
from tests.unit.ingestion.consumer_world import (
    EPOCH,
    LABS,
    OTHER_EPOCH,
    PLACE,
    VITALS,
    Crash,
    failing,
    health,
    names,
    steps,
    world_of,
)


def test_revoked_partitions_are_written_and_the_next_owner_goes_on_behind() -> None:
    world = world_of(0, 1, 2)
    consumption = world.consumption(flush_records=100)
    steps(consumption, 2)
    member = world.member
    assert member is not None and not world.objects
    member.revoked([PLACE])
    assert names(world) == [(0, 2)] and health(consumption)["assignment"] == "no partition is assigned"
    world.settle(world.consumption())
    assert world.stored() == world.wanted() and names(world) == [(0, 2)]


def test_lost_partitions_are_dropped_and_the_next_owner_reads_them_again() -> None:
    world = world_of(0, 1, 2)
    consumption = world.consumption(flush_records=100)
    steps(consumption, 2)
    member = world.member
    assert member is not None
    member.lost([PLACE])
    world.now += 100
    steps(consumption)
    assert not world.objects
    world.settle(world.consumption())
    assert world.stored() == world.wanted()


def test_a_partition_that_comes_back_is_read_from_what_is_stored() -> None:
    world = world_of(*range(8))
    consumption = world.consumption(flush_records=5, flush_seconds=1000)
    steps(consumption)
    member = world.member
    assert member is not None
    member.lost([PLACE])
    member.assigned([PLACE])
    world.settle(consumption, seconds=2000)
    assert world.stored() == world.wanted()


def test_a_stop_stores_what_was_read_and_leaves_the_group() -> None:
    world = world_of(*range(7), hour=lambda offset: 100 + offset // 3)
    consumption = world.consumption(flush_records=100)
    turns = iter([False] * 5 + [True])
    consumption.run(lambda: next(turns))
    member = world.member
    assert member is not None and member.ended
    assert world.stored() == world.wanted() and world.committed[PLACE][0] == 7


def test_a_stop_while_the_store_is_away_ends_and_loses_nothing() -> None:
    world = world_of(*range(3))
    world.fail = failing("put", StoreError("away"))
    turns = iter([False] * 5 + [True])
    world.consumption().run(lambda: next(turns))
    world.fail = lambda _: None
    world.settle(world.consumption(flush_records=2))
    assert world.stored() == world.wanted()


@pytest.mark.parametrize("left", [None, (2, ""), (2, "somebody"), (9, None)], ids=["expired", "reset", "other", "skipped"])
def test_without_a_note_of_ours_the_bucket_says_where_to_begin(left: tuple[int, str | None] | None) -> None:
    world = world_of(*range(8))
    world.settle(world.consumption())
    world.committed.clear()
    if left is not None:
        world.committed[PLACE] = left
    world.produce(PLACE, range(8, 14))
    world.settle(world.consumption(flush_records=3))
    assert world.stored() == world.wanted()


def test_a_topic_made_anew_begins_at_its_beginning_beside_the_old_objects() -> None:
    world = world_of(*range(6))
    world.settle(world.consumption())
    before = dict(world.objects)
    world.records[PLACE], world.epochs[VITALS] = [], OTHER_EPOCH
    world.produce(PLACE, range(6))
    world.settle(world.consumption())
    assert {key: world.objects[key] for key in before} == before
    assert sorted(name.epoch for name in map(Name.parse, world.objects) if name) == sorted([EPOCH, OTHER_EPOCH] * (len(before)))
    assert all(count == 2 for count in world.stored().values())


def test_a_topic_that_is_made_anew_while_it_is_read_ends_the_process() -> None:
    world = world_of(*range(6))
    consumption = world.consumption()
    steps(consumption)
    world.epochs[VITALS] = OTHER_EPOCH
    world.now += 11
    with pytest.raises(TopicMadeAnew, match=VITALS):
        consumption.step()


def test_records_that_kafka_removed_unread_are_counted_and_the_rest_is_read() -> None:
    world = world_of(*range(5))
    world.settle(world.consumption())
    world.produce(PLACE, range(5, 20))
    world.lows[PLACE] = 12
    world.records[PLACE] = [record for record in world.records[PLACE] if not 5 <= record.offset < 12]
    before = AGED_OUT.labels(VITALS)._value.get()
    world.settle(world.consumption())
    assert AGED_OUT.labels(VITALS)._value.get() - before == 7
    assert world.stored() == world.wanted()


def test_an_object_that_waited_for_records_that_kafka_removed_is_given_up() -> None:
    world = world_of(*range(5))
    world.crash_at = 3
    with pytest.raises(Crash):
        world.settle(world.consumption())
    world.crash_at = None
    world.records[PLACE], world.lows[PLACE] = [], 5
    world.produce(PLACE, range(5, 9))
    world.settle(world.consumption())
    assert world.stored() == world.wanted() and names(world) == [(5, 8)]


def test_an_object_whose_last_records_kafka_compacted_away_is_written_with_the_rest() -> None:
    world = world_of(*range(5))
    world.crash_at = 3
    with pytest.raises(Crash):
        world.settle(world.consumption())
    world.crash_at = None
    world.records[PLACE] = world.records[PLACE][:3]
    world.settle(world.consumption())
    assert names(world) == [(0, 4)] and world.committed[PLACE][0] == 5
    assert [row["offset"] for row in pq.read_table(io.BytesIO(*world.objects.values())).to_pylist()] == [0, 1, 2]


def test_a_record_that_comes_again_is_taken_once() -> None:
    buffer = Buffer(PLACE, EPOCH, 3, Bounds(10, 1000, 1))
    for offset in (2, 3, 4, 3, 4, 7, 6):
        buffer.add(Record(offset, 0, None, None, (), 0.0))
    assert [record.offset for record in buffer.records] == [3, 4, 7]


def test_a_partition_that_ends_before_what_is_stored_is_not_read_and_health_says_so() -> None:
    world = world_of(*range(10))
    world.settle(world.consumption())
    world.records[PLACE] = world.records[PLACE][:4]
    world.highs[PLACE] = 4
    world.produce((LABS, 0), range(3))
    consumption = world.consumption()
    world.settle(consumption)
    assert "Kafka lost records" in health(consumption)["records"] and VITALS in health(consumption)["records"]
    assert {position[0] for position in world.stored()} == {VITALS, LABS}


def test_a_start_while_the_store_is_away_waits_for_it() -> None:
    world = world_of(*range(3))
    world.fail = failing("list", StoreError("away"))
    consumption = world.consumption()
    world.settle(consumption, steps=5)
    assert "not reading yet" in health(consumption)["assignment"]
    world.fail = lambda _: None
    world.settle(consumption)
    assert world.stored() == world.wanted() and not health(consumption)


def test_health_asks_the_broker_and_sees_a_loop_that_hangs() -> None:
    world = world_of(0)
    consumption = world.consumption()
    assert health(consumption)["assignment"] == "no partition is assigned"
    world.settle(consumption)
    assert not health(consumption)
    member = world.member
    assert member is not None
    member.broken = True
    assert health(consumption) == {"kafka": "Kafka does not answer"}
    world.now += 1000
    assert "has not moved" in health(consumption)["loop"]
