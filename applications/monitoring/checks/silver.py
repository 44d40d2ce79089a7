"""The silver tables as checks see them: their names, columns and received rows."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow.dataset as ds

from applications.clinical.models import EventType
from applications.clinical.silver import COLUMNS
from applications.monitoring.tables import Span, Tables

QUARANTINE = "quarantine/events"
SOURCE: Mapping[str, str] = {"source_topic": "string", "source_partition": "int", "source_offset": "bigint",
                             "received_time": "timestamp"}
NOTHING = "no row was received in this time"


def name_of(kind: EventType) -> str:
    """The table of one event type."""
    return f"silver/{kind}"


def columns_of(kind: EventType) -> dict[str, str]:
    """The columns that a table must have, with their types as Spark SQL names them."""
    return {**COLUMNS[kind], **SOURCE}


def received(tables: Tables, kind: EventType, span: Span) -> ds.Dataset | None:
    """The rows whose records Kafka took in the span; None while there is no table."""
    return tables.rows(name_of(kind), span.within("received_time"), written_since=span.begin)
