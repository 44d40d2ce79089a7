"""Refused records as dead letters: the queries of all types write the topic, and one query writes the quarantine.

Six queries that merged into one table would wait for each other, and each merge costs as much as the rest of its batch.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from applications.clinical.models import DEAD_LETTER_TOPIC
from applications.processing.storing import Refuse, merge_quarantine

LARGEST_RAW = 2_900_000
"""Bytes of a record whose letter, in base64, still fits into a record itself."""
LARGEST_REQUEST = 4_000_000
REASONS = "array<struct<code:string,field:string,message:string>>"


def to_letters(bootstrap: str, service: str) -> Refuse:
    """Sends refused records to the dead-letter topic. A repeated batch sends them again, under the same source positions."""
    def refuse(spark: SparkSession, rejected: DataFrame) -> int:
        found = rejected.agg(F.count("*").alias("count"), F.max(F.length("raw")).alias("largest")).first()
        assert found is not None
        if (found["largest"] or 0) > LARGEST_RAW:
            merge_quarantine(spark, rejected)
        else:
            (letters(rejected, service).write.format("kafka").option("kafka.bootstrap.servers", bootstrap)
             .option("topic", DEAD_LETTER_TOPIC).option("kafka.acks", "all").option("kafka.enable.idempotence", "true")
             .option("kafka.max.request.size", str(LARGEST_REQUEST)).save())
        return int(found["count"])
    return refuse


def letters(rejected: DataFrame, service: str) -> DataFrame:
    """Key and value of the letters, as models.DeadLetter has them."""
    letter = F.struct(
        "reason", F.from_json("reasons", REASONS).alias("reasons"), F.lit(service).alias("service"), "source_topic",
        # Spark breaks base64 into lines, as for mail.
        "source_partition", "source_offset", "key", F.translate(F.base64("raw"), "\r\n", "").alias("raw"),
        F.date_format(F.current_timestamp(), "yyyy-MM-dd'T'HH:mm:ss.SSSXXX").alias("recorded_time"))
    return rejected.select(F.col("source_topic").alias("key"), F.to_json(letter).alias("value"))
