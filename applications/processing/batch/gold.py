"""The job `gold`: one row a patient and day (UTC), from the silver tables.

The days of a range are replaced as a whole, in one commit, so a run that is repeated gives the same rows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from functools import reduce
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from applications.clinical.models import INGRESS, EventType
from applications.clinical.terminology import ANALYTES, Analyte, Kind, Range, Sex
from applications.jobs.job import run
from applications.processing.batch.parameters import Gold
from applications.processing.batch.settings import BatchSettings
from applications.processing.conflicts import again
from applications.processing.session import session
from applications.processing.tables import GOLD, ensure, ensure_all, silver_path

KEY = ["patient_id", "event_date"]
VITALS = [analyte for analyte in ANALYTES if analyte.kind is Kind.VITAL]
LABS = [analyte for analyte in ANALYTES if analyte.kind is Kind.LAB]
DECIMALS = 6
"""Means are rounded: the order in which a sum is made would show in the last digits."""
SEVERE_GRADE = 3


def column(kind: EventType) -> str:
    """The name of the column that counts events of a type."""
    return f"{kind.replace('-', '_')}_count"


COLUMNS: dict[str, str] = {
    "patient_id": "string", "event_date": "date", "study_id": "string", "site_id": "string", "trial_arm": "string",
    **{column(kind): "bigint" for kind in INGRESS},
    **{f"{vital.column}_{name}": "double" for vital in VITALS for name in ("mean", "min", "max")},
    **{f"{lab.column}_{name}": "double" for lab in LABS for name in ("latest", "worst")},
    "drug_count": "bigint", "high_risk_medication_count": "bigint",
    "highest_grade": "int", "severe_adverse_event_count": "bigint", "related_adverse_event_count": "bigint"}
"""The columns of the table. The worst result of a lab is the one farthest outside its reference range."""


def work(settings: BatchSettings, wanted: Gold) -> dict[str, Any]:
    """Replaces the days of the range. The result says how many days and rows there are now."""
    spark = session("gold", settings.spark_master, settings.service, settings.cores,
                    driver_mb=settings.driver_memory_mb, executor_mb=settings.executor_memory_mb)
    try:
        ensure_all(spark)
        ensure(spark, GOLD, COLUMNS, ("event_date",))
        # Not BETWEEN: Delta 4.0 with Spark 4.0 fails to resolve it in replaceWhere.
        days = f"event_date >= DATE'{wanted.begin}' AND event_date <= DATE'{wanted.end}'"
        rows = patient_days({kind: spark.read.format("delta").load(silver_path(kind)).where(days) for kind in INGRESS})
        again(lambda: _replace(rows, days), GOLD)
        return written(spark, days)
    finally:
        spark.stop()


def _replace(rows: DataFrame, days: str) -> int:
    rows.write.format("delta").mode("overwrite").option("replaceWhere", days).save(GOLD)
    return 0


def written(spark: SparkSession, days: str) -> dict[str, Any]:
    """What stands in the table for these days."""
    rows = DeltaTable.forPath(spark, GOLD).toDF().where(days).groupBy("event_date").count().collect()
    per_day: dict[date, int] = {row["event_date"]: row["count"] for row in rows}
    return {"days": len(per_day), "rows": sum(per_day.values()),
            "rows_per_day": {f"{day}": per_day[day] for day in sorted(per_day)}}


def patient_days(silver: dict[EventType, DataFrame]) -> DataFrame:
    """One row for each patient and day that has any event."""
    parts = [_everything(silver), _vitals(silver[EventType.PATIENT_VITALS]), _labs(silver[EventType.LAB_RESULTS]),
             _medications(silver[EventType.MEDICATIONS]), _adverse_events(silver[EventType.ADVERSE_EVENTS])]
    joined = reduce(lambda left, right: left.join(right, KEY, "left"), parts)
    counts: dict[str, bool | float | int | str] = {name: 0 for name, kind in COLUMNS.items() if kind == "bigint"}
    return joined.fillna(counts).select(*COLUMNS)


def _everything(silver: dict[EventType, DataFrame]) -> DataFrame:
    facts = ("study_id", "site_id", "trial_arm")
    common = reduce(DataFrame.unionByName, (
        rows.select(*KEY, *facts, "event_time", "event_id", F.lit(str(kind)).alias("kind")) for kind, rows in silver.items()))
    return common.groupBy(*KEY).agg(
        *(F.max_by(fact, _order()).alias(fact) for fact in facts),
        *(F.count_if(F.col("kind") == str(kind)).alias(column(kind)) for kind in INGRESS))


def _vitals(rows: DataFrame) -> DataFrame:
    def each() -> Iterator[Column]:
        for vital in VITALS:
            yield F.round(F.avg(vital.column), DECIMALS).alias(f"{vital.column}_mean")
            yield F.min(vital.column).alias(f"{vital.column}_min")
            yield F.max(vital.column).alias(f"{vital.column}_max")
    return rows.groupBy(*KEY).agg(*each())


def _labs(rows: DataFrame) -> DataFrame:
    def each() -> Iterator[Column]:
        for lab in LABS:
            here = F.col("code") == lab.code
            yield F.max_by("value", F.when(here, _order())).alias(f"{lab.column}_latest")
            worst = F.struct(outside(lab).alias("outside"), "event_time", "event_id")
            yield F.max_by("value", F.when(here, worst)).alias(f"{lab.column}_worst")
    return rows.groupBy(*KEY).agg(*each())


def _medications(rows: DataFrame) -> DataFrame:
    return rows.groupBy(*KEY).agg(F.count_distinct("drug").alias("drug_count"),
                                  F.count_if("high_risk").alias("high_risk_medication_count"))


def _adverse_events(rows: DataFrame) -> DataFrame:
    return rows.groupBy(*KEY).agg(
        F.max("grade").alias("highest_grade"),
        F.count_if(F.col("grade") >= SEVERE_GRADE).alias("severe_adverse_event_count"),
        F.count_if("related").alias("related_adverse_event_count"))


def _order() -> Column:
    """Later is greater; of two at one moment always the same one."""
    return F.struct("event_time", "event_id")


def outside(lab: Analyte) -> Column:
    """How far a value is outside its reference range, in widths of that range; 0 within."""
    found = _distance(lab.reference_for(None))
    for sex in lab.reference_by_sex:
        found = F.when(F.col("sex") == str(sex), _distance(lab.reference_for(Sex(sex)))).otherwise(found)
    return found


def _distance(reference: Range) -> Column:
    value = F.col("value")
    return F.greatest(F.lit(reference.low) - value, value - F.lit(reference.high), F.lit(0.0)) / (reference.high - reference.low)


if __name__ == "__main__":
    sys.exit(run(BatchSettings, Gold, work))
