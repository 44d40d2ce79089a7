"""Writing refined rows so that each event stands in its table once, whoever writes it how often.

Both the stream and the jobs write through here. A repeated batch, a resent event and a second driver all meet the same
insert-only merge: what is there stays as it is.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from applications.clinical.models import EventType
from applications.processing.columns import QUARANTINE_COLUMNS, silver_columns
from applications.processing.conflicts import again
from applications.processing.hours import ranges
from applications.processing.tables import QUARANTINE, silver_path

SAME_RECORD = ("source_topic", "source_partition", "source_offset", "raw")
"""What makes two refused records one. A topic that was made anew counts its offsets from 0 again; its bytes tell it apart."""


@dataclass(frozen=True)
class Stored:
    """What became of a batch: records read, new silver rows, repeats of rows that stood there or in the batch, refused records
    (of a job: those that are new in quarantine), and the latest event time."""

    records: int = 0
    accepted: int = 0
    repeated: int = 0
    quarantined: int = 0
    latest: datetime | None = None


Refuse = Callable[[SparkSession, DataFrame], int]
"""What is done with refused records; returns how many there were."""


def store(spark: SparkSession, rows: DataFrame, kind: EventType, refuse: Refuse) -> Stored:
    """Merges refined rows of one type into its silver table, and gives the refused records to `refuse`."""
    rows = rows.persist()
    try:
        # One pass that fills the cache and says what there is to do.
        good = F.col("reason").isNull()
        found = rows.agg(
            F.count("*").alias("records"), F.count_if(good).alias("good"), F.max("event_time").alias("latest"),
            F.collect_set(F.date_trunc("hour", "event_time")).alias("hours")).first()
        assert found is not None
        accepted = merge_silver(spark, rows.where(good), kind, found["hours"]) if found["good"] else 0
        refused = 0
        if found["records"] > found["good"]:
            refused = refuse(spark, rows.where(~good).select(*QUARANTINE_COLUMNS))
        return Stored(found["records"], accepted, found["good"] - accepted, refused, found["latest"])
    finally:
        rows.unpersist()


def merge_silver(spark: SparkSession, rows: DataFrame, kind: EventType, hours: list[datetime]) -> int:
    """Inserts the rows whose event_id is not there yet; how many that were. `hours` are those of their event times.

    A resend has the time of its first sending, so only files of these hours can hold it: the cost of a merge follows the
    batch and not the table.
    """
    there = " OR ".join(f"(t.event_date BETWEEN DATE'{first:%Y-%m-%d}' AND DATE'{last - timedelta(microseconds=1):%Y-%m-%d}' "
                        f"AND t.event_time >= TIMESTAMP'{first:%Y-%m-%d %H:%M:%S}' "
                        f"AND t.event_time < TIMESTAMP'{last:%Y-%m-%d %H:%M:%S}')" for first, last in ranges(hours))
    source = rows.select(*silver_columns(kind)).dropDuplicates(["event_id"])
    return insert(spark, silver_path(kind), source, F.expr(f"({there}) AND t.event_id = s.event_id"))


def merge_quarantine(spark: SparkSession, rows: DataFrame) -> int:
    """Inserts the refused records whose source position is not there yet; how many that were."""
    source = rows.dropDuplicates(list(SAME_RECORD))
    bounds = rows.groupBy("source_topic").agg(F.min("source_offset"), F.max("source_offset")).collect()
    if not bounds:
        return 0
    # Literals, by which Delta leaves out files that hold none of these positions.
    there = functools.reduce(operator.or_, (
        (F.col("t.source_topic") == topic) & F.col("t.source_offset").between(low, high) for topic, low, high in bounds))
    same = [F.col(f"t.{name}").eqNullSafe(F.col(f"s.{name}")) for name in SAME_RECORD]
    return insert(spark, QUARANTINE, source, functools.reduce(operator.and_, same, there))


def insert(spark: SparkSession, path: str, source: DataFrame, condition: Column) -> int:
    """An insert-only merge, tried again when another writer came first; how many rows it inserted."""
    def once() -> int:
        merge = DeltaTable.forPath(spark, path).alias("t").merge(source.alias("s"), condition).whenNotMatchedInsertAll()
        done = merge.execute().first()
        return int(done["num_inserted_rows"]) if done else 0
    return again(once, path)
