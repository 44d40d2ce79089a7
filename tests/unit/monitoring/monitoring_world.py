"""A small lake in a folder, as the platform fills it: bronze objects, and the silver and quarantine rows that come of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

from applications.clinical.models import INGRESS, EventType
from applications.clinical.simulation import Simulation
from applications.ingestion.consumer.objects import SCHEMA, Name
from applications.monitoring.tables import Span, Tables
from applications.processing.columns import QUARANTINE_COLUMNS, silver_columns
from applications.processing.refine import refine

Row = dict[str, Any]
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
"""The end of the world's time: a whole hour of today, for files are as new as they are."""
EPOCH = "0123456789ab"
MEASUREMENT = pa.struct([("code", pa.string()), ("value", pa.float64()), ("unit", pa.string())])
TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(), "timestamp": pa.timestamp("us", "UTC"), "date": pa.date32(), "double": pa.float64(), "int": pa.int32(),
    "bigint": pa.int64(), "boolean": pa.bool_(), "binary": pa.binary(),
    "struct<code:string,value:double,unit:string>": MEASUREMENT,
    "array<struct<code:string,value:double,unit:string>>": pa.list_(MEASUREMENT)}


def schema(columns: Mapping[str, str]) -> pa.Schema:
    """Columns as an Arrow schema."""
    return pa.schema([(name, TYPES[kind]) for name, kind in columns.items()])


@cache
def simulated(patients: int, end: datetime) -> list[tuple[EventType, bytes]]:
    """The events of four days of some patients."""
    events = Simulation(3, patients, end, vitals_minutes=240).history(4)
    return [(EventType(event["event_type"]), orjson.dumps(event)) for event in events]


@cache
def refined(kind: EventType, value: bytes, offset: int, received: datetime) -> Row:
    """The row of a record; many tests send the same ones."""
    return refine({"topic": str(kind), "partition": 0, "offset": offset, "timestamp": received, "key": b"", "value": value}, kind)


class World:
    """The lake of a test. `tables` reads it, `span` are the hours that events are received in."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tables = folder, Tables.in_folder(folder)
        self.span = Span(NOW - timedelta(hours=4), NOW)
        self.rows: dict[EventType, list[Row]] = {kind: [] for kind in INGRESS}
        self.refused: list[Row] = []
        self.records: list[Row] = []
        self._next: dict[str, int] = {}
        self._there: set[str] = set()

    def simulate(self, patients: int = 20) -> World:
        """Four days of simulated patients, received evenly over the span."""
        events = simulated(patients, self.span.begin)
        for number, (kind, value) in enumerate(events):
            self.send(kind, value, self.span.begin + number / len(events) * (self.span.end - self.span.begin))
        assert all(self.rows[kind] for kind in INGRESS)
        return self

    def send(self, kind: EventType, value: bytes, received: datetime) -> Row:
        """One record of Kafka: for bronze, and for the rows of silver or quarantine that `write` makes tables of."""
        offset = self._next.get(kind, 0)
        self._next[kind] = offset + 1
        received = received.replace(microsecond=received.microsecond // 1000 * 1000)
        self.records.append({"topic": str(kind), "partition": 0, "offset": offset, "timestamp": received, "key": b"",
                             "value": value, "headers": []})
        found = dict(refined(kind, value, offset, received))
        if "reason" in found:
            self.refused.append(found)
        elif found["event_id"] not in self._there:
            self._there.add(found["event_id"])
            self.rows[kind].append(found)
        return found

    def bronze(self) -> None:
        """The objects of all records, one an hour and topic."""
        hours: dict[tuple[str, int], list[Row]] = {}
        for record in self.records:
            hours.setdefault((record["topic"], int(record["timestamp"].timestamp()) // 3600), []).append(record)
        for (topic, hour), records in hours.items():
            name = Name(topic, 0, records[0]["offset"], records[-1]["offset"], hour, EPOCH)
            path = self.folder / "bronze" / name.key
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(records, SCHEMA), path)

    def write(self) -> World:
        """Makes bronze and the tables of what there is now."""
        self.bronze()
        for kind, rows in self.rows.items():
            self.table(f"silver/{kind}", rows, silver_columns(kind), ["event_date"])
        self.table("quarantine/events", self.refused, QUARANTINE_COLUMNS, ["reason", "date"])
        return self

    def table(self, name: str, rows: Iterable[Row], columns: Mapping[str, str], partitions: Sequence[str]) -> None:
        """A table of rows, in the place of the one that was there."""
        found, uri = schema(columns), self.tables.uri(name)
        DeltaTable.create(uri, found, mode="overwrite", partition_by=list(partitions))
        data = pa.Table.from_pylist([{column: row.get(column) for column in columns} for row in rows], found)
        write_deltalake(uri, data, mode="append")
