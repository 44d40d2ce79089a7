"""The job `compact`: joins the small files that the stream leaves, and removes what no reader can still need."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from applications.jobs.job import run
from applications.processing.batch.parameters import Compact
from applications.processing.batch.settings import BatchSettings
from applications.processing.conflicts import again
from applications.processing.session import session
from applications.runtime.logs import log

MIB = 1024 * 1024
SETTINGS = {
    # A file of this size is left as it is, so that an hourly run joins the last hour's files and no others.
    "spark.databricks.delta.optimize.minFileSize": 16 * MIB,
    "spark.databricks.delta.optimize.maxFileSize": 128 * MIB,
    # A vacuum lists a table's folders with so many tasks; the default of ten thousand takes minutes for a small table.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": 8,
    # Only so are removed files counted in the table's history.
    "spark.databricks.delta.vacuum.logging.enabled": "true"}
DATES = {"silver": "event_date", "gold": "event_date", "quarantine": "date"}


def work(settings: BatchSettings, wanted: Compact) -> dict[str, Any]:
    """The result counts, for each table, files that were joined, files they became, and files that were removed."""
    spark = session("compact", settings.spark_master, settings.service, settings.cores,
                    driver_mb=settings.driver_memory_mb, executor_mb=settings.executor_memory_mb)
    try:
        for key, value in SETTINGS.items():
            spark.conf.set(key, str(value))
        first = datetime.now(UTC).date() - timedelta(days=wanted.days - 1)
        return {"tables": {table: tidy(spark, table, first, wanted.retention_hours) for table in dict.fromkeys(wanted.tables)}}
    finally:
        spark.stop()


def tidy(spark: SparkSession, table: str, first: date, retention_hours: int) -> dict[str, int] | None:
    """One table; None for one that nothing has been written to."""
    path = f"s3a://{table}"
    if not DeltaTable.isDeltaTable(spark, path):
        return None
    column = DATES[table.partition("/")[0]]
    joined = {"joined": 0, "into": 0}

    def optimize() -> int:
        done = DeltaTable.forPath(spark, path).optimize().where(f"{column} >= DATE'{first}'").executeCompaction().first()
        assert done is not None
        joined.update(joined=int(done["metrics"]["numFilesRemoved"]), into=int(done["metrics"]["numFilesAdded"]))
        return joined["joined"]

    again(optimize, path)
    delta = DeltaTable.forPath(spark, path)
    delta.vacuum(retention_hours)
    end = delta.history(1).select("operation", "operationMetrics").first()
    removed = int(end["operationMetrics"].get("numDeletedFiles", 0)) if end and end["operation"] == "VACUUM END" else 0
    log.info("table-compacted", table=table, **joined, removed=removed)
    return {**joined, "removed": removed}


if __name__ == "__main__":
    sys.exit(run(BatchSettings, Compact, work))
