"""What a backup holds: one line an object, and a summary that is written last."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from operations.faults import OperationError

FORMAT = 1
MANIFEST, OBJECTS = "manifest.json", "objects.jsonl"
HOW_TO = "make another backup, or name another one"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Entry(_Part):
    """One object: where it stood, what it was, and under which name its content lies in the backup.

    `etag` is what the store gives when the content is uploaded by us; with it a restored object is known again.
    """

    bucket: str
    key: str
    size: int
    sha256: str
    etag: str
    content_type: str
    metadata: dict[str, str] = {}

    @classmethod
    def item_of(cls, bucket: str, key: str, etag: str) -> str:
        """The name in the backup of what the bucket has under that key with that ETag."""
        digest = hashlib.sha256(f"{bucket}\0{key}\0{etag}".encode()).hexdigest()[:40]
        return f"objects/{digest[:2]}/{digest}"

    item: str


class Dump(_Part):
    """One database."""

    database: str
    size: int
    sha256: str


class Count(_Part):
    """Objects and bytes."""

    objects: int = 0
    bytes: int = 0

    def plus(self, size: int) -> Count:
        """One object more."""
        return Count(objects=self.objects + 1, bytes=self.bytes + size)


class Manifest(_Part):
    """The summary of a backup. Its presence says that the backup is whole: it is written after everything else."""

    format: int = FORMAT
    name: str
    started: str
    finished: str
    buckets: dict[str, Count]
    databases: list[Dump]
    objects_sha256: str
    """Of the list of objects."""

    @property
    def total(self) -> Count:
        """Over all buckets."""
        return Count(objects=sum(c.objects for c in self.buckets.values()), bytes=sum(c.bytes for c in self.buckets.values()))

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """The manifest in a file. Raises OperationError for one that is none of ours."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError:
            raise OperationError(f"{path.name} is no manifest of format {FORMAT}; {HOW_TO}") from None


def entries(path: Path) -> Iterator[Entry]:
    """The objects in a list, in the order of buckets and keys."""
    with path.open("rb") as file:
        for line in file:
            yield Entry.model_validate_json(line)


def write(path: Path, found: Iterable[Entry]) -> dict[str, Count]:
    """Writes the list; how much there is of each bucket."""
    counts: dict[str, Count] = {}
    with path.open("wb") as file:
        for entry in found:
            file.write(entry.model_dump_json().encode() + b"\n")
            counts[entry.bucket] = counts.get(entry.bucket, Count()).plus(entry.size)
    return counts
