"""Columns of the silver tables and the quarantine, with their types as Spark SQL names them."""

from __future__ import annotations

from collections.abc import Mapping

from applications.clinical.models import EventType
from applications.clinical.silver import COLUMNS

SOURCE: Mapping[str, str] = {"source_topic": "string", "source_partition": "int", "source_offset": "bigint",
                             "received_time": "timestamp"}
"""Where in Kafka a row came from, and when Kafka took it."""
REJECTED: Mapping[str, str] = {"reason": "string", "reasons": "string", "raw": "binary", "key": "string", "service": "string"}
"""Why a record was refused (the first reason's code; all as JSON), its bytes, its key, and who refused it."""
QUARANTINE_COLUMNS: Mapping[str, str] = {**REJECTED, **SOURCE, "date": "date"}


def silver_columns(kind: EventType) -> dict[str, str]:
    """The columns of one event type's table."""
    return {**COLUMNS[kind], **SOURCE}
