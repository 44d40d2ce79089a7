"""Bronze objects: their names and their content."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from applications.ingestion.consumer.records import Place, Record

EPOCH_DIGITS = 12
SCHEMA = pa.schema([
    pa.field("topic", pa.string(), nullable=False), pa.field("partition", pa.int32(), nullable=False),
    pa.field("offset", pa.int64(), nullable=False), pa.field("timestamp", pa.timestamp("ms", tz="UTC"), nullable=False),
    pa.field("key", pa.binary()), pa.field("value", pa.binary()),
    pa.field("headers", pa.list_(pa.struct([pa.field("name", pa.string()), pa.field("value", pa.binary())])))])
_KEY = re.compile(r"(?P<topic>[^/]+)/date=(?P<date>\d{4}-\d\d-\d\d)/hour=(?P<hour>\d\d)/"
                  rf"(?P<partition>\d+)-(?P<first>\d+)-(?P<last>\d+)-(?P<epoch>[0-9a-f]{{{EPOCH_DIGITS}}})\.parquet")
_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Name:
    """The name of an object: which records of a partition it holds, all of one hour.

    `epoch` is the topic's identity in Kafka. A topic that is made anew counts its offsets from 0 again; its objects are
    never taken for those of the topic that had its name before.
    """

    topic: str
    partition: int
    first: int
    last: int
    hour: int
    epoch: str

    @property
    def place(self) -> Place:
        """Its topic and partition."""
        return self.topic, self.partition

    @property
    def key(self) -> str:
        """The object's key in the bucket."""
        hour = _START + timedelta(hours=self.hour)
        return (f"{self.topic}/date={hour.date().isoformat()}/hour={hour.hour:02}/"
                f"{self.partition}-{self.first}-{self.last}-{self.epoch}.parquet")

    @classmethod
    def parse(cls, key: str) -> Name | None:
        """The name with that key; None for a key that is no object of ours."""
        found = _KEY.fullmatch(key)
        if found is None:
            return None
        try:
            hour = datetime.strptime(f"{found['date']} {found['hour']}", "%Y-%m-%d %H").replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(found["topic"], int(found["partition"]), int(found["first"]), int(found["last"]),
                   (hour - _START) // timedelta(hours=1), found["epoch"])


def encode(name: Name, records: Sequence[Record]) -> bytes:
    """The object's content, Parquet; the same bytes for the same records."""
    columns = [
        pa.repeat(pa.scalar(name.topic), len(records)), pa.repeat(pa.scalar(name.partition, pa.int32()), len(records)),
        pa.array([r.offset for r in records], pa.int64()),
        pa.array([r.timestamp for r in records], pa.int64()).cast(SCHEMA.field("timestamp").type),
        pa.array([r.key for r in records], pa.binary()), pa.array([r.value for r in records], pa.binary()),
        pa.array([[{"name": n, "value": v} for n, v in r.headers] for r in records], SCHEMA.field("headers").type)]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), buffer, compression="zstd",
                   use_dictionary=["topic", "partition", "key"], write_statistics=["offset", "timestamp"])
    return buffer.getvalue()
