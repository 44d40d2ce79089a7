"""A small lake in a folder: silver tables as Spark writes them, of simulated events or of rows made by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from applications.clinical import silver
from applications.clinical.models import EventType
from applications.clinical.simulation import Simulation
from applications.clinical.validation import check_object
from applications.ml.features.lake import FEATURES_TABLE, LABELS_TABLE, Lake
from applications.ml.features.pipeline import Done, opened
from applications.ml.features.rows import SOURCES, Database
from applications.ml.features.silver import columns

Row = dict[str, Any]
KINDS = tuple(SOURCES)
VITALS, LABS, DRUGS, FACTS, ADVERSE = (
    EventType.PATIENT_VITALS, EventType.LAB_RESULTS, EventType.MEDICATIONS, EventType.DEMOGRAPHICS, EventType.ADVERSE_EVENTS)
STEP = timedelta(hours=6)
NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)


def simulated(patients: int, days: float, end: datetime = NOW, *, seed: int = 1,
              vitals_minutes: float = 60) -> dict[EventType, list[Row]]:
    """Silver rows of simulated patients over the days before a moment."""
    found: dict[EventType, list[Row]] = {kind: [] for kind in KINDS}
    for event in Simulation(seed, patients, end, vitals_minutes=vitals_minutes).history(days):
        checked = check_object(event, end + timedelta(days=1))
        found[checked.event_type].append(silver.row(checked))
    return found


def table(kind: EventType, rows: Iterable[Row]) -> pa.Table:
    """Rows of a silver table, of the columns that features need and its partition."""
    schema = columns(kind).append(pa.field("event_date", pa.date32()))
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)


def raw(rows: Mapping[EventType, Sequence[Row]]) -> dict[EventType, pa.Table]:
    """All rows as the computation takes them, none left out."""
    with Database() as database:
        return {kind: database.rows(kind, table(kind, rows.get(kind, ())).drop(["event_date"]).to_reader()) for kind in KINDS}


def event(kind: EventType, at: datetime, *, patient: str = "PTA0000001", recorded: datetime | None = None, number: int = 0,
          **more: Any) -> Row:
    """One row by hand; recorded when it happened unless said otherwise."""
    identity = f"{int(at.timestamp() * 1000):016x}-{number:04d}"
    return {"patient_id": patient, "event_id": identity, "event_time": at, "recorded_time": recorded or at,
            "event_date": at.date(), **more}


class World:
    """A lake and the folder of a service that computes from it."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.data = Lake.in_folder(folder / "lake"), folder / "data"

    def add(self, rows: Mapping[EventType, Sequence[Row]], files: int = 1) -> None:
        """Appends rows to the silver tables, spread over so many commits."""
        for kind, found in rows.items():
            for part in range(files):
                mine = found[part::files]
                if mine:
                    write_deltalake(self.lake.uri(f"silver/{kind}"), table(kind, mine), mode="append", partition_by=["event_date"])

    def run(self, now: datetime = NOW, step: timedelta = STEP) -> tuple[Done, Done]:
        """What the job `incremental` does offline."""
        with opened(self.lake, self.data, now=now, step=step, memory_mb=256) as pipeline:
            pipeline.refresh()
            return pipeline.features(), pipeline.labels()

    def backfill(self, days: Sequence[date], now: datetime = NOW) -> Done:
        """What the job `backfill` does."""
        with opened(self.lake, self.data, now=now, step=STEP, memory_mb=256) as pipeline:
            pipeline.again(days[0] - timedelta(days=1), days[-1])
            pipeline.refresh()
            done = Done()
            for day in days:
                done += pipeline.features_of(day)
                pipeline.labels_of(day)
            return done

    def features(self) -> pd.DataFrame:
        """The rows of the table of features, in order, but for when they were made."""
        return self._read(FEATURES_TABLE)

    def labels(self) -> pd.DataFrame:
        """The rows of the table of labels, in order, but for when they were made."""
        return self._read(LABELS_TABLE)

    def version(self, name: str) -> int:
        """The version of a table."""
        return int(DeltaTable(self.lake.uri(name)).version())

    def _read(self, name: str) -> pd.DataFrame:
        found: pd.DataFrame = DeltaTable(self.lake.uri(name)).to_pandas()
        return found.drop(columns="created_timestamp").sort_values(["patient_id", "event_timestamp"], ignore_index=True)
