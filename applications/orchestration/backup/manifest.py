"""What a daily backup holds. Its manifest is written last: a day without one has no backup."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from applications.monitoring.lake import LakeAccess
from applications.orchestration.backup.errors import BackupError

FORMAT = 1
BUCKET, FOLDER, NAME = "backups", "daily", "manifest.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Content(_Part):
    """One object of a backup: where it lies in the bucket, its bytes and their SHA-256."""

    key: str
    size: int
    sha256: str


class TableFacts(_Part):
    """Rows of a table, and a sum over a hash of each, which does not depend on their order."""

    rows: int
    hash: str


class Dump(_Part):
    """One database, in PostgreSQL's own format, and what each table (schema.name) held in the moment of the dump."""

    database: str
    content: Content
    server_version: str
    tables: dict[str, TableFacts]


class Index(_Part):
    """The list of a bucket's objects (JSON lines: key, size, etag, modified; gzip), with their number and bytes."""

    bucket: str
    content: Content
    objects: int
    bytes: int


class Manifest(_Part):
    """The summary of a day's backup."""

    format: int = FORMAT
    day: date
    started: datetime
    finished: datetime
    databases: list[Dump]
    buckets: list[Index]

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(content.size for content in self.contents())

    def contents(self) -> list[Content]:
        """All parts."""
        return [*(dump.content for dump in self.databases), *(index.content for index in self.buckets)]


def folder(day: date) -> str:
    """Where a day's backup lies in the bucket."""
    return f"{FOLDER}/{day.isoformat()}"


def write(lake: LakeAccess, manifest: Manifest) -> None:
    """Makes a backup the one of its day, and removes what the one before has left. Raises LakeError."""
    place = f"{folder(manifest.day)}/{NAME}"
    lake.put(BUCKET, place, manifest.model_dump_json(indent=1).encode())
    keep = {place, *(content.key for content in manifest.contents())}
    for found in list(lake.objects(BUCKET, f"{folder(manifest.day)}/")):
        if found.key not in keep:
            lake.remove(BUCKET, found.key)


def read(lake: LakeAccess, day: date) -> Manifest | None:
    """The manifest of a day; None where there is no whole backup of it. Raises LakeError, BackupError."""
    place = f"{folder(day)}/{NAME}"
    content = lake.get(BUCKET, place)
    if content is None:
        return None
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise BackupError(f"{BUCKET}/{place} is no manifest of format {FORMAT} ({error.error_count()} faults): run the DAG "
                          "backup, which makes today's anew; older days stand beside it") from None


def days(lake: LakeAccess) -> list[date]:
    """The days that have a whole backup, the newest last. Raises LakeError."""
    found = (key.split("/") for key in (stored.key for stored in lake.objects(BUCKET, f"{FOLDER}/")) if key.endswith(f"/{NAME}"))
    return sorted(day for parts in found if (day := _day(parts[1])) is not None)


def newest(lake: LakeAccess) -> Manifest:
    """The newest whole backup. Raises BackupError where there is none, LakeError."""
    there = days(lake)
    found = read(lake, there[-1]) if there else None
    if found is None:
        raise BackupError(f"the bucket {BUCKET} has no whole backup below {FOLDER}/: start the DAG backup")
    return found


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
