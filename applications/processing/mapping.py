"""The refining of records in Spark's Python workers, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema

from applications.clinical.models import EventType
from applications.processing.columns import QUARANTINE_COLUMNS, REJECTED, silver_columns
from applications.processing.refine import refine, unseal
from applications.processing.tables import schema

RECORD = ("topic", "partition", "offset", "timestamp", "key", "value")


def refined(records: DataFrame, kind: EventType) -> DataFrame:
    """Silver rows of one type, and refused records; those have a `reason`. `date` is the day of receipt."""
    columns = {**silver_columns(kind), **REJECTED, "date": "date"}
    return _mapped(records, columns, lambda record: refine(record, kind))


def unsealed(letters: DataFrame) -> DataFrame:
    """Quarantine rows of dead letters: under the position that a letter names, else under its own."""
    return _mapped(letters, QUARANTINE_COLUMNS, unseal)


def _mapped(records: DataFrame, columns: Mapping[str, str], make: Callable[[Mapping[str, Any]], dict[str, Any]]) -> DataFrame:
    spark_schema = schema(columns)
    arrow_schema = to_arrow_schema(spark_schema)

    def batches(source: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in source:
            rows = [make(record) for record in batch.to_pylist()]
            yield pa.RecordBatch.from_pylist(rows, schema=arrow_schema)

    return records.select(*RECORD).mapInArrow(batches, spark_schema)
