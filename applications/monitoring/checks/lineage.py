"""Lineage: what stands in bronze came to silver or to quarantine; nothing was lost on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from applications.clinical.models import INGRESS, EventType
from applications.monitoring.checks.silver import NOTHING, QUARANTINE, SOURCE, name_of, received
from applications.monitoring.findings import Check, Status
from applications.monitoring.tables import Span, Tables, columns_of, count, moment
from applications.monitoring.thresholds import Quality

PLACE = ("partition", "offset")
MOST_UNMATCHED = 200_000
_LEFT = """
    SELECT b."partition", b."offset" FROM bronze b
    WHERE NOT EXISTS (SELECT 1 FROM silver s WHERE s.source_partition = b."partition" AND s.source_offset = b."offset"
                      AND epoch_ms(s.received_time) = epoch_ms(b."timestamp"))
      AND NOT EXISTS (SELECT 1 FROM refused q WHERE q.source_partition = b."partition" AND q.source_offset = b."offset")"""
_PLACES = pa.schema([("source_partition", pa.int32()), ("source_offset", pa.int64()), ("received_time", pa.timestamp("us", "UTC"))])


def lineage(tables: Tables, span: Span, limits: Quality) -> Iterator[Check]:
    """For each topic one check, whose value is the number of records of bronze that are in no table."""
    for kind in INGRESS:
        yield _of(tables, kind, span)


def _of(tables: Tables, kind: EventType, span: Span) -> Check:
    name = name_of(kind)
    records = tables.bronze(kind, span)
    total = 0 if records is None else count("SELECT count(*) FROM records", records=records)[0][0]
    if records is None or not total:
        return Check("bronze-without-row", name, Status.SKIPPED, None, 0, NOTHING, "lineage")
    silver, refused = received(tables, kind, span), _refused(tables, kind, span)
    left = count(_LEFT, bronze=records, silver=_PLACES.empty_table() if silver is None else silver, refused=refused)
    if len(left) > MOST_UNMATCHED:
        return _verdict(name, len(left), total, span)
    # An event that was sent twice stands in silver once, with the position of one of its records.
    return _verdict(name, len(left) - _repeats(tables, kind, span, left), total, span)


def _verdict(name: str, lost: int, total: int, span: Span) -> Check:
    if not lost:
        return Check("bronze-without-row", name, Status.OK, 0, 0, f"all {total} records of bronze are in silver or quarantine",
                     "lineage")
    return Check("bronze-without-row", name, Status.FAILURE, lost, 0,
                 f"{lost} of {total} records of bronze are neither in silver nor in quarantine; the job `backfill` of spark-batch "
                 f"from {span.begin.isoformat()} to {span.end.isoformat()} brings them in", "lineage")


def _refused(tables: Tables, kind: EventType, span: Span) -> pa.Table:
    # A consumer's dead letter comes after its record, so there is no end.
    late = pc.field("received_time") >= moment(span.begin)
    found = tables.rows(QUARANTINE, (pc.field("source_topic") == str(kind)) & late, written_since=span.begin)
    return _PLACES.empty_table() if found is None else columns_of(found, [*SOURCE][1:])


def _repeats(tables: Tables, kind: EventType, span: Span, left: list[tuple[int, int]]) -> int:
    """How many of the records at these positions are events that silver has from another record."""
    if not left:
        return 0
    partitions, offsets = sorted({place[0] for place in left}), sorted({place[1] for place in left})
    records = tables.bronze(kind, span, pc.field("partition").isin(partitions) & pc.field("offset").isin(offsets))
    silver_rows = tables.rows(name_of(kind))
    if records is None or silver_rows is None:
        return 0
    wanted, there = set(left), []
    for batch in records.to_batches(columns=[*PLACE, "value"]):
        for partition, offset, value in zip(*(batch.column(i).to_pylist() for i in range(3)), strict=True):
            if (partition, offset) in wanted and (event := _event(value)) is not None:
                there.append(event)
    if not there:
        return 0
    moments = [time for _, time in there]
    # A resend keeps the time of its event: only these days and hours can hold it.
    around = Span(min(moments), max(moments) + timedelta(microseconds=1))
    days = (pc.field("event_date") >= around.begin.date()) & (pc.field("event_date") <= around.end.date())
    events = pa.table({"event_id": [event for event, _ in there]})
    return int(count("SELECT count(*) FROM events WHERE event_id IN (SELECT event_id FROM silver)", events=events,
                     silver=silver_rows.filter(days & around.within("event_time")))[0][0])


def _event(value: bytes | None) -> tuple[str, datetime] | None:
    """The id and the time (UTC) of a record's event; None for one that has neither, which is no repeat of anything."""
    try:
        found = json.loads(value or b"")
        return str(found["event_id"]).lower(), datetime.fromisoformat(found["event_time"]).astimezone(UTC)
    except (ValueError, TypeError, KeyError):
        return None
