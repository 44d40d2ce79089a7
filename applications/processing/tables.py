"""The Delta tables: where they are, their columns, and how they are made."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from applications.clinical.models import INGRESS, EventType
from applications.processing.columns import QUARANTINE_COLUMNS, silver_columns
from applications.processing.conflicts import again

QUARANTINE = "s3a://quarantine/events"
GOLD = "s3a://gold/patient-day"


def silver_path(kind: EventType) -> str:
    """The table of one event type."""
    return f"s3a://silver/{kind}"


def ddl(columns: Mapping[str, str]) -> str:
    """Columns as Spark SQL declares them."""
    return ", ".join(f"`{name}` {kind}" for name, kind in columns.items())


def schema(columns: Mapping[str, str]) -> StructType:
    """Columns as a Spark schema."""
    return StructType.fromDDL(ddl(columns))


def ensure(spark: SparkSession, path: str, columns: Mapping[str, str], partitions: tuple[str, ...]) -> None:
    """Makes a table unless it is there; two that make it at once make it once."""
    builder = DeltaTable.createIfNotExists(spark).location(path).addColumns(schema(columns)).partitionedBy(*partitions)
    # Small files of the stream are joined by the job `compact`; statistics of the first columns let a merge skip files.
    builder.property("delta.dataSkippingStatsColumns", ",".join(c for c in ("event_id", "event_time", "patient_id",
                                                                             "source_offset") if c in columns))

    def make() -> int:
        builder.execute()
        return 0

    # Of two that make it at once one is told that the other did: the stream and a job both begin with this.
    again(make, path)


def ensure_all(spark: SparkSession) -> None:
    """Makes every silver table and the quarantine, all at once: each mostly waits for the store."""
    with ThreadPoolExecutor(len(INGRESS) + 1, "table") as pool:
        made = [pool.submit(ensure, spark, silver_path(kind), silver_columns(kind), ("event_date",)) for kind in INGRESS]
        made.append(pool.submit(ensure, spark, QUARANTINE, QUARANTINE_COLUMNS, ("reason", "date")))
    for each in made:
        each.result()
