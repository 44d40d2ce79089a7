"""Making a day's backup, and trying a restore of the newest."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import IO, Any

from applications.monitoring.lake import LakeAccess
from applications.orchestration.backup import databases, manifest, storing
from applications.orchestration.backup.errors import BackupError
from applications.orchestration.backup.manifest import BUCKET, Content, Dump, Index, Manifest
from applications.orchestration.connections import DatabaseAccess


def dump_database(lake: LakeAccess, access: DatabaseAccess, place: str) -> Dump:
    """Dumps one database into the folder `place` of the bucket. Raises BackupError."""
    key = f"{place}/{access.name}.dump"

    def store(stream: IO[bytes]) -> Content:
        return storing.store(lake, key, stream)

    content, version, tables = databases.dump(access, store)
    return Dump(database=access.name, content=content, server_version=version, tables=tables)


def index_bucket(lake: LakeAccess, bucket: str, place: str) -> Index:
    """Lists a bucket's objects into the folder `place`. What is added or removed meanwhile may be in the list or not. Raises
    BackupError, LakeError.
    """
    number, size = 0, 0
    with tempfile.TemporaryFile() as file:
        # The same objects give the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            for found in lake.objects(bucket):
                line = {"key": found.key, "size": found.size, "etag": found.etag, "modified": found.modified.isoformat()}
                packed.write(json.dumps(line).encode() + b"\n")
                number, size = number + 1, size + found.size
        file.seek(0)
        content = storing.store(lake, f"{place}/{bucket}.jsonl.gz", file)
    return Index(bucket=bucket, content=content, objects=number, bytes=size)


def finish(lake: LakeAccess, day: str, started: str, dumps: Sequence[Mapping[str, Any]],
           indexes: Sequence[Mapping[str, Any]]) -> Manifest:
    """Makes these parts, as JSON has them, the backup of the day. Raises LakeError."""
    made = Manifest.model_validate({"day": day, "started": started, "finished": datetime.now(UTC), "databases": list(dumps),
                                    "buckets": list(indexes)})
    manifest.write(lake, made)
    return made


def verify(lake: LakeAccess, scratch: DatabaseAccess, day: date | None = None) -> dict[str, int]:
    """Restores the databases of the newest backup, or of a day's, one after the other into the scratch database, compares every
    table with what it held, reads the lists of the buckets, and leaves the scratch database empty. How many tables, rows,
    objects and bytes were compared. Raises BackupError that names what differs, LakeError.
    """
    found = manifest.newest(lake) if day is None else manifest.read(lake, day)
    if found is None:
        raise BackupError(f"the bucket {BUCKET} has no whole backup of {day}; there are: {_days(lake)}")
    never = [dumped.database for dumped in found.databases]
    try:
        for dumped in found.databases:
            databases.empty(scratch, never)
            restored = databases.restore(scratch, storing.fetch(lake, dumped.content))
            different = databases.differences(dumped.tables, restored)
            if different:
                raise BackupError(f"the backup of {found.day} does not give the database {dumped.database} back: "
                                  f"{'; '.join(different)}")
    finally:
        databases.empty(scratch, never)
    for index in found.buckets:
        _compare(lake, index)
    return {"databases": len(found.databases), "tables": sum(len(dumped.tables) for dumped in found.databases),
            "rows": sum(table.rows for dumped in found.databases for table in dumped.tables.values()),
            "objects": sum(index.objects for index in found.buckets), "bytes": found.size}


def _compare(lake: LakeAccess, index: Index) -> None:
    with tempfile.TemporaryFile() as file:
        for chunk in storing.fetch(lake, index.content):
            file.write(chunk)
        file.seek(0)
        with gzip.GzipFile(fileobj=file) as lines:
            number = sum(1 for _ in lines)
    if number != index.objects:
        raise BackupError(f"the list of {index.bucket} in {BUCKET}/{index.content.key} has {number} objects, {index.objects} by "
                          "the manifest: make the backup anew by the DAG backup")


def facts(made: Manifest) -> dict[str, Any]:
    """A backup in a few words and numbers, small enough for an XCom."""
    return {"day": made.day.isoformat(), "bytes": made.size,
            "databases": {dumped.database: len(dumped.tables) for dumped in made.databases},
            "objects": {index.bucket: index.objects for index in made.buckets}}


def _days(lake: LakeAccess) -> str:
    return ", ".join(day.isoformat() for day in manifest.days(lake)) or "none"
