"""What an object is called, what stands in it, and that it is stored once."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from applications.clinical.reasons import ReasonCode
from applications.ingestion.consumer.bronze import Bronze, StoreError
from applications.ingestion.consumer.journal import Mark
from applications.ingestion.consumer.objects import SCHEMA, Name, encode
from applications.ingestion.consumer.records import LAST_HOUR, Record, fault
from tests.unit.ingestion.consumer_world import EPOCH, OTHER_EPOCH
from tests.unit.operations.s3_server import Server, serving

NAME = Name("patient-vitals", 3, 120, 180, 498_000, EPOCH)
RECORDS = [
    Record(120, 498_000 * 3_600_000, b"PT00000001", b'{"a": "\xc3\xa9"}', (("trace", b"\x00"), ("none", None)), 1.0),
    Record(180, 498_000 * 3_600_000 + 59, None, None, (), 2.0)]


@pytest.fixture
def server() -> Iterator[Server]:
    """A store with a bucket."""
    with serving("bronze") as found:
        yield found


def bronze(server: Server) -> Bronze:
    """The consumer's client of it."""
    return Bronze(f"http://{server.address}", "us-east-1", "kafka-consumer", "secret", "bronze", 2)


def test_the_key_is_topic_date_hour_partition_offsets_and_epoch() -> None:
    assert NAME.key == "patient-vitals/date=2026-10-24/hour=00/3-120-180-0123456789ab.parquet"


@settings(deadline=None)
@given(st.builds(Name, st.sampled_from(["lab-results", "dead-letter"]), st.integers(0, 99), st.integers(0, 2**62),
                 st.integers(0, 2**62), st.integers(0, LAST_HOUR), st.sampled_from([EPOCH, OTHER_EPOCH])))
def test_a_key_says_all_of_the_name(name: Name) -> None:
    assert Name.parse(name.key) == name
    assert Mark.parse(Mark(EPOCH, name).text()) == Mark(EPOCH, name)


@pytest.mark.parametrize("key", [
    "", "patient-vitals/x.parquet", NAME.key + ".tmp", NAME.key.replace("hour=00", "hour=24"), NAME.key.replace("-10-", "-13-"),
    NAME.key.replace(f"-{EPOCH}", ""), "a/" + NAME.key])
def test_what_is_no_object_of_ours_is_told_apart(key: str) -> None:
    assert Name.parse(key) is None


@pytest.mark.parametrize("text", [None, "", "x", "[]", "{}", '{"epoch": 1}', '{"epoch": "a", "pending": "b"}',
                                  '{"epoch": "a", "pending": 1}'])
def test_metadata_of_somebody_else_is_no_mark(text: str | None) -> None:
    assert Mark.parse(text) is None


@pytest.mark.parametrize("timestamp, hour", [(-1, 0), (0, 0), (3_599_999, 0), (3_600_000, 1), (2**62, LAST_HOUR)])
def test_any_timestamp_has_an_hour_that_a_key_can_hold(timestamp: int, hour: int) -> None:
    record = Record(0, timestamp, None, None, (), 0.0)
    assert record.hour == hour
    assert Name.parse(Name("t", 0, 0, 0, record.hour, EPOCH).key) is not None
    assert encode(NAME, [record])


def test_an_object_holds_every_byte_of_its_records() -> None:
    table = pq.read_table(io.BytesIO(encode(NAME, RECORDS)))
    assert table.schema.equals(SCHEMA)
    first, second = table.to_pylist()
    assert first == {"topic": "patient-vitals", "partition": 3, "offset": 120, "timestamp": datetime(2026, 10, 24, tzinfo=UTC),
                     "key": b"PT00000001", "value": b'{"a": "\xc3\xa9"}',
                     "headers": [{"name": "trace", "value": b"\x00"}, {"name": "none", "value": None}]}
    assert (second["key"], second["value"], second["headers"], second["offset"]) == (None, None, [], 180)


def test_the_same_records_are_the_same_bytes_whenever_they_arrive() -> None:
    again = [record._replace(arrived=record.arrived + 50) for record in RECORDS]
    assert hashlib.sha256(encode(NAME, RECORDS)).digest() == hashlib.sha256(encode(NAME, again)).digest()


@pytest.mark.parametrize("value, code", [
    (b'{"a": 1}', None), (b"{}", None), (None, ReasonCode.NO_VALUE), (b"", ReasonCode.NOT_JSON), (b"\xff", ReasonCode.NOT_JSON),
    (b'{"a": "\xe9"}', ReasonCode.NOT_JSON), (b"[1]", ReasonCode.NOT_AN_OBJECT), (b"1", ReasonCode.NOT_AN_OBJECT),
    (b"[" * 100_000, ReasonCode.NOT_JSON)])
def test_what_can_be_read_is_a_json_object_in_utf8(value: bytes | None, code: ReasonCode | None) -> None:
    found = fault(value)
    assert (found and found.code) == code


def test_an_object_is_added_once_and_never_replaced(server: Server) -> None:
    store = bronze(server)
    assert store.put(NAME, b"first") is True
    assert store.put(NAME, b"second") is False
    assert server.contents("bronze") == {NAME.key: b"first"}


@pytest.mark.parametrize("status, code", [(503, "SlowDown"), (403, "AccessDenied"), (409, "ConditionalRequestConflict")])
def test_what_the_store_refuses_is_not_stored(server: Server, status: int, code: str) -> None:
    server.fail = lambda method, path: (status, code)
    with pytest.raises(StoreError, match=code):
        bronze(server).put(NAME, b"x")
    with pytest.raises(StoreError, match=code):
        bronze(server).ends("patient-vitals", EPOCH)
    assert len(server.asked) == 2, "its tries are counted and spaced by the service"


def test_a_store_that_is_away() -> None:
    with serving("bronze") as server:
        store = bronze(server)
    with pytest.raises(StoreError, match="bronze"):
        store.put(NAME, b"x")


def test_what_is_stored_of_a_topic_is_read_from_the_names_of_this_very_topic(server: Server) -> None:
    def add(topic: str, partition: int, first: int, last: int, hour: int, epoch: str = EPOCH) -> None:
        server.put("bronze", Name(topic, partition, first, last, hour, epoch).key, b"")

    for start in range(0, 100, 10):
        add("patient-vitals", 0, start, start + 9, 100 - start)
    add("patient-vitals", 1, 7, 7, 100)
    add("patient-vitals", 1, 500, 999, 100, OTHER_EPOCH)
    add("patient-vitals-2", 0, 0, 5000, 100)
    server.put("bronze", "patient-vitals/readme.txt", b"")
    assert bronze(server).ends("patient-vitals", EPOCH) == {0: 100, 1: 8}
    assert bronze(server).ends("patient-vitals", "f" * 12) == {}
