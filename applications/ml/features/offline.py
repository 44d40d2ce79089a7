"""The tables of features and labels in the gold zone, and the training set that is made of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from applications.ml.features.lake import FEATURES_TABLE, LABELS_TABLE, Lake, LakeError
from applications.ml.features.registry import FEATURES, NAMES

MOMENT = pa.timestamp("us", "UTC")
RETENTION_HOURS = 168
"""A reader that began less than a week ago still finds the files that it saw."""
LONGEST_AGE = timedelta(hours=6)
"""How much older than its label a row of features may be in a training set."""
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

FEATURES_SCHEMA = pa.schema([
    ("patient_id", pa.string()), ("event_timestamp", MOMENT),
    *((feature.name, pa.float64() if feature.kind == "number" else pa.string()) for feature in FEATURES),
    ("created_timestamp", MOMENT), ("date", pa.date32())])
"""One row a patient and cut-off (`event_timestamp`); `date` is the day of the cut-off."""
LABELS_SCHEMA = pa.schema([("patient_id", pa.string()), ("event_timestamp", MOMENT), ("label", pa.int32()),
                           ("created_timestamp", MOMENT), ("date", pa.date32())])
SCHEMAS = {FEATURES_TABLE: FEATURES_SCHEMA, LABELS_TABLE: LABELS_SCHEMA}


def feature_rows(frames: Sequence[tuple[datetime, pd.DataFrame]], day: date, created: datetime) -> pa.Table:
    """The rows of a day: frames of features, each with its cut-off."""
    parts = [pa.Table.from_pandas(
        frame.assign(event_timestamp=pd.Timestamp(cutoff), created_timestamp=pd.Timestamp(created), date=day),
        FEATURES_SCHEMA, preserve_index=False) for cutoff, frame in frames]
    return pa.concat_tables([FEATURES_SCHEMA.empty_table(), *parts])


class Offline:
    """Writes whole days of both tables, each in one commit that wins or loses as a whole."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._there: set[str] = set()

    def replace(self, name: str, day: date, rows: pa.Table) -> None:
        """Puts rows in the place of those of their day. Raises LakeError."""
        try:
            self._ensure(name)
            write_deltalake(self._lake.uri(name), rows, mode="overwrite", predicate=f"date = '{day}'", schema_mode="merge",
                            storage_options=dict(self._lake.options))
        except (DeltaError, OSError) as error:
            raise LakeError(f"the day {day} of {name} cannot be written: {error}. Is the object store up, and may this user write "
                            "the bucket?") from error

    def keys(self, day: date) -> pa.Table:
        """patient_id and event_timestamp of the rows of features of a day."""
        table, columns = self._lake.table(FEATURES_TABLE), ["patient_id", "event_timestamp"]
        if table is None:
            return FEATURES_SCHEMA.empty_table().select(columns)
        return table.to_pyarrow_table(columns=columns, filters=[("date", "=", day)])

    def days(self, name: str) -> set[date]:
        """The days that a table has rows of. Raises LakeError."""
        table = self._lake.table(name)
        return set() if table is None else {date.fromisoformat(part["date"]) for part in table.partitions()}

    def clean(self) -> None:
        """Removes files that have been out of the tables for a week."""
        for name in SCHEMAS:
            table = self._lake.table(name)
            if table is not None:
                table.vacuum(RETENTION_HOURS, dry_run=False)

    def _ensure(self, name: str) -> None:
        if name not in self._there and self._lake.table(name) is None:
            DeltaTable.create(self._lake.uri(name), SCHEMAS[name], mode="ignore", partition_by=["date"],
                              storage_options=dict(self._lake.options))
        self._there.add(name)


@dataclass(frozen=True)
class TrainingFrame:
    """A training set: `frame` has patient_id, event_timestamp (UTC), NAMES and label (0 or 1), in the order of both keys;
    numbers that are missing are NaN, categories None. `data_version` names the tables' versions that it was made of.
    """

    frame: pd.DataFrame
    data_version: str


def training_frame(lake: Lake, begin: datetime | None = None, end: datetime | None = None) -> TrainingFrame | None:
    """The labels of the cut-offs in [begin, end), joined with features as `join` does; None while a table is missing.

    Raises LakeError.
    """
    labels, features = lake.table(LABELS_TABLE), lake.table(FEATURES_TABLE)
    if labels is None or features is None:
        return None
    first, last = begin or _EARLIEST, end or _LATEST
    wanted = labels.to_pyarrow_table(columns=["patient_id", "event_timestamp", "label"], filters=_days(first, last))
    known = features.to_pyarrow_table(columns=["patient_id", "event_timestamp", *NAMES],
                                      filters=_days(max(first, _EARLIEST + LONGEST_AGE) - LONGEST_AGE, last))
    inside = pc.and_(pc.greater_equal(wanted["event_timestamp"], pa.scalar(first, MOMENT)),
                     pc.less(wanted["event_timestamp"], pa.scalar(last, MOMENT)))
    return TrainingFrame(join(wanted.filter(inside), known),
                         f"labels={labels.version()},features={features.version()}")


def join(labels: pa.Table, features: pa.Table) -> pd.DataFrame:
    """Each label with the latest features of its patient that are of its cut-off or at most LONGEST_AGE older, in the order of
    patients and cut-offs; labels without such features are left out.
    """
    keys = features.select(["patient_id", "event_timestamp"]).append_column("place", pa.array(range(len(features)), pa.int64()))
    with duckdb.connect(":memory:") as database:
        database.register("labels", labels)
        database.register("keys", keys)
        found = database.sql(
            "SELECT l.patient_id, epoch_us(l.event_timestamp) AS cutoff, l.label, k.place "
            "FROM labels l ASOF JOIN keys k ON l.patient_id = k.patient_id AND l.event_timestamp >= k.event_timestamp "
            f"WHERE epoch_us(l.event_timestamp) - epoch_us(k.event_timestamp) <= {LONGEST_AGE // timedelta(microseconds=1)} "
            "ORDER BY l.patient_id, l.event_timestamp").to_arrow_table()
    frame = features.select(NAMES).take(found["place"]).to_pandas()
    frame.insert(0, "patient_id", found["patient_id"].to_pandas())
    frame.insert(1, "event_timestamp", found["cutoff"].cast(MOMENT).to_pandas())
    return frame.assign(label=found["label"].to_pandas())


def _days(first: datetime, last: datetime) -> list[tuple[str, str, date]]:
    return [("date", ">=", first.date()), ("date", "<=", last.date())]
