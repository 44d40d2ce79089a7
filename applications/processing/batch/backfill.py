"""The job `backfill`: bronze to silver and quarantine, by the same code and the same merge as the stream."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from pyspark.sql import SparkSession

from applications.clinical.models import DEAD_LETTER_TOPIC, EventType
from applications.jobs.job import run
from applications.processing.batch.bronze import chunks, records
from applications.processing.batch.parameters import Backfill
from applications.processing.batch.settings import BatchSettings
from applications.processing.mapping import refined, unsealed
from applications.processing.session import session
from applications.processing.storing import Stored, merge_quarantine, store
from applications.processing.tables import ensure_all
from applications.runtime.logs import log

TOGETHER = 3
"""Topics at a time. A pass waits for the store and for its driver most of the time, and the records of most topics are few."""
COUNTS = ("records", "accepted", "repeated", "quarantined")


def work(settings: BatchSettings, wanted: Backfill) -> dict[str, Any]:
    """Fills in what is missing. The result counts, for each topic, objects and what became of their records."""
    spark = session("backfill", settings.spark_master, settings.service, settings.cores,
                    driver_mb=settings.driver_memory_mb, executor_mb=settings.executor_memory_mb)
    try:
        ensure_all(spark)
        topics = list(dict.fromkeys(wanted.types))
        with ThreadPoolExecutor(TOGETHER, "topic") as pool:
            return {"topics": dict(zip(topics, pool.map(lambda topic: fill(spark, topic, wanted), topics), strict=True))}
    finally:
        spark.stop()


def fill(spark: SparkSession, topic: str, wanted: Backfill) -> dict[str, int]:
    """One topic, a bounded group of objects at a time: a job that is ended half-way leaves whole groups behind."""
    total = dict.fromkeys(("objects", *COUNTS), 0)
    for paths in chunks(spark, topic, wanted.begin, wanted.end):
        done = asdict(pass_of(spark, topic, paths, wanted))
        total["objects"] += len(paths)
        for name in COUNTS:
            total[name] += done[name]
        log.info("backfill-progress", topic=topic, **total)
    return total


def pass_of(spark: SparkSession, topic: str, paths: list[str], wanted: Backfill) -> Stored:
    """One group of objects."""
    found = records(spark, paths, wanted.begin, wanted.end)
    if topic != DEAD_LETTER_TOPIC:
        kind = EventType(topic)
        return store(spark, refined(found, kind), kind, merge_quarantine)
    letters = unsealed(found).persist()
    try:
        return Stored(records=letters.count(), quarantined=merge_quarantine(spark, letters))
    finally:
        letters.unpersist()


if __name__ == "__main__":
    sys.exit(run(BatchSettings, Backfill, work))
