"""Schema and completeness: the tables have the columns that they should have, and the columns have values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.dataset as ds

from applications.clinical.models import INGRESS, EventType
from applications.monitoring.checks.silver import NOTHING, columns_of, name_of, received
from applications.monitoring.findings import Check, Status, above
from applications.monitoring.tables import Span, Tables, count
from applications.monitoring.thresholds import Limit, Quality

_WORDS = {"timestamp[us,tz=UTC]": "timestamp", "date32[day]": "date", "int32": "int", "int64": "bigint", "bool": "boolean"}
REQUIRED = Limit(warning=0, failure=0)


def shape(tables: Tables, span: Span, limits: Quality) -> Iterator[Check]:
    """For each silver table one check of its schema, and one of the nulls of each column."""
    for kind in INGRESS:
        name = name_of(kind)
        rows = received(tables, kind, span)
        if rows is None:
            yield Check("schema", name, Status.FAILURE, None, None,
                        "there is no such table: spark-streaming makes it when it starts, see its log", "schema")
            continue
        yield _schema(name, kind, rows.schema)
        there = [column for column in columns_of(kind) if column in rows.schema.names]
        yield from _completeness(name, rows, there, limits.null_share.get(str(kind), {}))


def _schema(name: str, kind: EventType, schema: pa.Schema) -> Check:
    wanted, found = columns_of(kind), {field.name: spark_type(field.type) for field in schema}
    faults = [f"{column} is missing" if column not in found else f"{column} is {found[column]} instead of {type_}"
              for column, type_ in wanted.items() if found.get(column) != type_]
    more = sorted(set(found) - set(wanted))
    if faults:
        return Check("schema", name, Status.FAILURE, len(faults), 0, "; ".join(faults), "schema")
    if more:
        return Check("schema", name, Status.WARNING, len(more), 0, f"columns that nobody declared: {', '.join(more)}", "schema")
    return Check("schema", name, Status.OK, 0, 0, f"all {len(wanted)} columns with their types", "schema")


def spark_type(found: pa.DataType) -> str:
    """A type of Arrow as Spark SQL names it."""
    text = str(found).replace(" ", "").replace("list<element:", "array<")
    return _WORDS.get(text, text)


def _completeness(name: str, rows: ds.Dataset, columns: list[str], optional: Mapping[str, Limit]) -> Iterator[Check]:
    counts = ", ".join(f'count("{column}")' for column in columns)
    (total, *filled), = count(f"SELECT count(*), {counts} FROM rows", rows=rows)
    for column, values in zip(columns, filled, strict=True):
        limit = optional.get(column, REQUIRED)
        if not total:
            yield Check("null-share", name, Status.SKIPPED, None, limit.failure, NOTHING, "completeness", column)
            continue
        share = (total - values) / total
        status = above(share, limit.warning, limit.failure)
        yield Check("null-share", name, status, round(share, 6), limit.failure,
                    f"{total - values} of {total} rows have no value", "completeness", column)
