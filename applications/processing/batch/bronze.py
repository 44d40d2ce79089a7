"""The bronze zone: which objects hold the records of a range of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

ROOT = "s3a://bronze"
RECORDS = "topic string, partition int, offset bigint, timestamp timestamp, key binary, value binary"
HOUR = timedelta(hours=1)
CHUNK_BYTES = 64 * 1024 * 1024
"""Compressed objects that one pass takes: it bounds what a pass keeps in memory."""


def chunks(spark: SparkSession, topic: str, begin: datetime, end: datetime) -> Iterator[list[str]]:
    """The objects that may hold records of the range, oldest first, in groups of a bounded size."""
    group: list[str] = []
    size = 0
    for path, length in _objects(spark, topic, begin, end):
        if group and size + length > CHUNK_BYTES:
            yield group
            group, size = [], 0
        group.append(path)
        size += length
    if group:
        yield group


def records(spark: SparkSession, paths: list[str], begin: datetime, end: datetime) -> DataFrame:
    """The records of the range in these objects, as Kafka had them."""
    return spark.read.schema(RECORDS).parquet(*paths).where((F.col("timestamp") >= begin) & (F.col("timestamp") < end))


def hours(begin: datetime, end: datetime) -> list[datetime]:
    """The hours whose folders may hold records of the range. An object lies in the hour of its first record, so one that was
    begun in the hour before is looked at too."""
    first = begin.replace(minute=0, second=0, microsecond=0) - HOUR
    count = -((first - end) // HOUR)
    return [first + HOUR * index for index in range(count)]


def _objects(spark: SparkSession, topic: str, begin: datetime, end: datetime) -> Iterator[tuple[str, int]]:
    jvm, jsc = spark.sparkContext._jvm, spark.sparkContext._jsc
    assert jvm is not None and jsc is not None
    folder = jvm.org.apache.hadoop.fs.Path
    system = folder(ROOT).getFileSystem(jsc.hadoopConfiguration())
    for hour in hours(begin, end):
        pattern = f"{ROOT}/{topic}/date={hour:%Y-%m-%d}/hour={hour:%H}/*.parquet"
        for status in system.globStatus(folder(pattern)) or ():
            yield str(status.getPath().toString()), int(status.getLen())
