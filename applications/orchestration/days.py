"""The days that the records of an interval belong to: late ones change days that are long past."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

from applications.clinical.models import INGRESS
from applications.orchestration.intervals import Interval

if TYPE_CHECKING:
    from pyarrow import RecordBatch

    from applications.monitoring.lake import LakeAccess

CLOCKS = timedelta(minutes=10)
"""How far the clock of whoever wrote a file may be behind that of Kafka."""


class SilverFault(Exception):
    """A silver table cannot be read, in words for whoever runs the platform."""


def touched_days(lake: LakeAccess, interval: Interval) -> set[date]:
    """The days (UTC, of event_time) of all silver rows whose records Kafka took in the interval. Raises SilverFault."""
    days: set[date] = set()
    for kind in INGRESS:
        days |= of_table(f"s3://silver/{kind}", lake.options(), interval)
    return days


def of_table(uri: str, options: Mapping[str, str], interval: Interval) -> set[date]:
    """The days of one table; none where there is no table yet. Raises SilverFault."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError
    try:
        table = DeltaTable(uri, storage_options=dict(options))
        files, rows = _changed_since(table.get_add_actions(flatten=True), interval), table.to_pyarrow_dataset()
        in_time = (pc.field("received_time") >= interval.begin) & (pc.field("received_time") < interval.end)
        found: dict[date, bool] = {}
        for fragment in rows.get_fragments():
            day = files.get(fragment.path.rpartition("/")[2])
            if day is not None and not found.get(day):  # one row of a day is enough
                scanner = fragment.scanner(schema=rows.schema, columns=["received_time"], filter=in_time)
                found[day] = bool(scanner.head(1).num_rows)
        return {day for day, has_rows in found.items() if has_rows}
    except TableNotFoundError:
        return set()
    except (DeltaError, pa.ArrowException, OSError) as error:
        raise SilverFault(f"{uri} cannot be read ({type(error).__name__}): is the object store up, and may the user airflow read "
                          "the bucket? See `./pipeline infrastructure health`") from error


def _changed_since(files: RecordBatch, interval: Interval) -> dict[str, date]:
    """Name and day of the files that were written since the interval began: no other can hold rows of it."""
    import pyarrow as pa
    least = (interval.begin - CLOCKS).timestamp() * 1000
    rows = pa.table(files).select(["path", "modification_time", "partition.event_date"]).to_pylist()
    return {row["path"].rpartition("/")[2]: row["partition.event_date"] for row in rows if row["modification_time"] >= least}
