"""The report of a backup."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from applications.monitoring.findings import Status
from applications.monitoring.lake import LakeAccess
from applications.monitoring.reports import Page, Section, Table, metric, publish, render

KIND = "backup"


def publish_backup(lake: LakeAccess, run_time: datetime, now: datetime, written: Mapping[str, Any],
                   verified: Mapping[str, int] | None) -> str:
    """Publishes what was backed up (`making.facts`) and, unless it was left out, what was compared after a restore
    (`making.verify`); the page's key. Raises LakeError.
    """
    status = Status.WARNING if verified is None else Status.OK
    lead = "The backup is whole; nobody has tried to restore it." if verified is None else \
        f"The backup is whole, and a restore gave all {verified['rows']:,} rows of {verified['tables']} tables back."
    page = Page("Backup", lead, status, now, {"Day": written["day"], "Bytes": written["bytes"]}, [
        Section("Databases", "Dumped in one moment each.",
                [Table(("Database", "Tables"), list(written["databases"].items()))]),
        Section("Buckets", "Lists of objects; their contents are not in this backup.",
                [Table(("Bucket", "Objects"), list(written["objects"].items()))])])
    metrics = [metric("backup_timestamp_seconds", now.timestamp()), metric("backup_bytes", written["bytes"]),
               *(metric("backup_objects", number, bucket=bucket) for bucket, number in written["objects"].items())]
    if verified is not None:
        metrics += [metric("backup_verified_timestamp_seconds", now.timestamp()), metric("backup_verified_rows", verified["rows"])]
    return publish(lake, KIND, run_time, render(page), {"status": str(status), "lead": lead, "metrics": metrics})
