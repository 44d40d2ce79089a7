"""Runs inside the Spark image: one of two drivers that write the same Delta log and table at the same time.

`two_drivers.py NAME OTHER` prints one line, REPORT and JSON: the versions that this driver won, how many rows it inserted,
and what stands there once both are done.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from applications.processing.storing import insert
from applications.processing.tables import ensure

VERSIONS, ROUNDS, ROWS = 30, 3, 50
STEP_SECONDS = 0.3
PATIENCE = 180
"""Seconds until an other that never comes counts as a failure."""
LONGEST_SECONDS = 240
LOG, TABLE = "s3a://lake/log", "s3a://lake/table"


def meet(name: str, other: str, where: str) -> float:
    """Waits until both drivers are here; a moment just ahead, the same for both."""
    mine, theirs = Path(f"/tmp/{where}-{name}"), Path(f"/tmp/{where}-{other}")
    mine.touch()
    deadline = time.monotonic() + LONGEST_SECONDS
    while not theirs.exists():
        assert time.monotonic() < deadline, f"the driver {other} did not come to {where}"
        time.sleep(0.01)
    return max(mine.stat().st_mtime, theirs.stat().st_mtime) + 0.5


def commits(spark: SparkSession, name: str, begin: float) -> list[int]:
    """Tries to write each version at the same moment as the other driver; the versions that were ours."""
    jvm, jsc = spark.sparkContext._jvm, spark.sparkContext._jsc
    assert jvm is not None and jsc is not None
    store = jvm.clinical.ConditionalS3LogStore(jsc.hadoopConfiguration())
    won = []
    for version in range(VERSIONS):
        actions = jvm.java.util.ArrayList()
        actions.add(name)
        path = jvm.org.apache.hadoop.fs.Path(f"{LOG}/{version:020d}.json")
        time.sleep(max(0.0, begin + version * STEP_SECONDS - time.time()))
        try:
            store.write(path, actions.iterator(), False, jsc.hadoopConfiguration())
            won.append(version)
        except Py4JJavaError as error:
            assert error.java_exception.getClass().getName() == "java.nio.file.FileAlreadyExistsException", error
    return won


def merges(spark: SparkSession) -> int:
    """Inserts rows that the other driver inserts too; how many were ours."""
    return sum(
        insert(
            spark,
            TABLE,
            spark.range(number * ROWS, (number + 1) * ROWS).selectExpr("cast(id AS string) AS event_id", "1 AS day"),
            F.expr("t.day = 1 AND t.event_id = s.event_id"),
        )
        for number in range(ROUNDS)
    )


def main(name: str, other: str) -> None:
    """Both parts, side by side with the other driver."""
    spark = SparkSession.builder.master("local[1]").appName(name).config("spark.ui.enabled", "false").getOrCreate()
    meet(name, other, "begin")
    for table in (TABLE, *(f"{TABLE}-{number}" for number in range(ROUNDS))):
        ensure(spark, table, {"event_id": "string", "day": "int"}, ("day",))
    won = commits(spark, name, meet(name, other, "ready"))
    inserted = merges(spark)
    meet(name, other, "done")
    table = spark.read.format("delta").load(TABLE)
    written = [row["value"] for row in spark.read.text(LOG).collect()]
    report = {
        "versions": VERSIONS,
        "won": won,
        "expected": ROUNDS * ROWS,
        "inserted": inserted,
        "written": written,
        "rows": table.count(),
        "ids": table.select("event_id").distinct().count(),
    }
    print("REPORT " + json.dumps(report), flush=True)
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
