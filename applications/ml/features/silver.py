"""Reading the silver tables: which files they have, and the columns that features need of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.dataset as ds

from applications.clinical.models import EventType
from applications.ml.features.lake import Lake
from applications.ml.features.rows import SOURCES, Database

BATCH_ROWS = 65_536
FILES_AHEAD = 4
_MOMENT = pa.timestamp("us", "UTC")
_TYPES: Mapping[str, pa.DataType] = {
    "event_time": _MOMENT, "recorded_time": _MOMENT, "start_time": _MOMENT, "enrolment_date": pa.date32(),
    "high_risk": pa.bool_(), "grade": pa.int32(), "age": pa.int32(),
    **dict.fromkeys(("patient_id", "event_id", "analyte", "drug", "sex", "trial_arm"), pa.string())}


@dataclass(frozen=True)
class Silver:
    """A silver table at a version: its files by day. Without a table there are none, and the version is -1."""

    kind: EventType
    table: str
    version: int
    files: Mapping[date, Sequence[str]]


def silver_path(kind: EventType) -> str:
    """The table of one event type."""
    return f"silver/{kind}"


def find(lake: Lake, kind: EventType, version: int | None = None) -> Silver:
    """A silver table as it is now, or was at a version. Raises LakeError."""
    table = lake.table(silver_path(kind), version)
    if table is None:
        return Silver(kind, "", -1, {})
    files: dict[date, list[str]] = {}
    actions = pa.table(table.get_add_actions(flatten=True))
    for path, day in zip(actions["path"].to_pylist(), actions["partition.event_date"].to_pylist(), strict=True):
        files.setdefault(day, []).append(path)
    return Silver(kind, str(table.metadata().id), table.version(), files)


def columns(kind: EventType) -> pa.Schema:
    """The columns of a silver table that are read."""
    return pa.schema([(name, _TYPES.get(name, pa.float64())) for name in SOURCES[kind].read])


def read(lake: Lake, kind: EventType, files: Sequence[str], chosen: ds.Expression | None = None) -> pa.RecordBatchReader:
    """Rows of some files of a silver table, read piece by piece as they are asked for."""
    # Spark may write times in its old form of nanoseconds; they are whole microseconds in UTC.
    form = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(coerce_int96_timestamp_unit="us"))
    found = ds.dataset([f"{silver_path(kind)}/{file}" for file in files], schema=columns(kind), format=form,
                       filesystem=lake.filesystem)
    return found.scanner(filter=chosen, batch_size=BATCH_ROWS, batch_readahead=FILES_AHEAD,
                         fragment_readahead=FILES_AHEAD).to_reader()


@functools.cache
def nothing(kind: EventType) -> pa.Table:
    """No rows of a type, with their columns."""
    with Database() as database:
        return database.rows(kind, columns(kind).empty_table().to_reader())
