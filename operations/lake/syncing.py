"""A bucket and a directory made alike, by their differences."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from minio import Minio
from minio.datatypes import Object

from operations.faults import OperationError
from operations.lake.progress import Progress, Step, silent
from operations.lake.store import (
    CHUNK,
    Digest,
    Vanished,
    digest_of,
    download,
    errors,
    etag_of,
    in_parallel,
    listed,
    remove,
    upload,
)

Direction = Literal["down", "up"]
PARTIAL = ".partial-"
"""How the name of a file begins that is not whole yet; no such file is ever uploaded."""
MEBIBYTE = 1024 * 1024
PART_SIZES = tuple(size * MEBIBYTE for size in (5, 8, 10, 16, 32, 64, 100, 128, 256))
"""Parts in which other clients upload; an ETag of parts says how many there were, not how large."""


@dataclass(frozen=True)
class Synced:
    """What was done: objects copied with their bytes, those that were alike, and those removed."""

    copied: int = 0
    bytes: int = 0
    alike: int = 0
    removed: int = 0

    def plus(self, other: Synced) -> Synced:
        """Both together."""
        return Synced(self.copied + other.copied, self.bytes + other.bytes, self.alike + other.alike, self.removed + other.removed)


def sync(client: Minio, bucket: str, directory: Path, direction: Direction, *, prefix: str = "", delete: bool = False,
         dry_run: bool = False, progress: Progress = silent) -> Synced:
    """Copies what differs: from the bucket into the directory (`down`), or from there into the bucket (`up`).

    Alike is what has the same size and the same content by its ETag. A file or an object is replaced only by a whole one.
    What the other side has besides is left alone unless `delete`. With `dry_run` nothing is changed, and what is returned is what
    would be done. Raises OperationError.
    """
    with errors(f"the sync of {bucket}"):
        if direction == "down":
            return _down(client, bucket, directory, prefix, delete, dry_run, progress)
        return _up(client, bucket, directory, prefix, delete, dry_run, progress)


def _down(client: Minio, bucket: str, directory: Path, prefix: str, delete: bool, dry_run: bool, progress: Progress) -> Synced:
    if not dry_run:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys: set[str] = set()

    def entries() -> Iterator[Object]:
        for entry in listed(client, bucket, prefix):
            key = str(entry.object_name)
            if not key.endswith("/"):  # some clients mark folders so
                if delete:
                    keys.add(key)
                yield entry

    def one(entry: Object) -> Synced:
        path = file_of(directory, str(entry.object_name))
        if alike(path, entry):
            return Synced(alike=1)
        if dry_run:
            return Synced(copied=1, bytes=entry.size or 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{PARTIAL}{path.name}")
        try:
            fetched = download(client, bucket, str(entry.object_name), partial)
            os.replace(partial, path)
        except Vanished:
            return Synced()
        finally:
            partial.unlink(missing_ok=True)
        return Synced(copied=1, bytes=fetched.digest.size)

    done = _sum(in_parallel(one, entries()), f"{bucket} to {directory}", progress)
    extra = [path for key, path in files_of(directory, prefix) if key not in keys] if delete else []
    for path in [] if dry_run else extra:
        path.unlink()
    return replace(done, removed=len(extra))


def _up(client: Minio, bucket: str, directory: Path, prefix: str, delete: bool, dry_run: bool, progress: Progress) -> Synced:
    if not directory.is_dir():
        raise OperationError(f"{directory} is no directory; name the one whose files go into {bucket}")
    there = {str(entry.object_name): entry for entry in listed(client, bucket, prefix)}

    def one(found: tuple[str, Path]) -> Synced:
        key, path = found
        entry = there.get(key)
        if entry is not None and alike(path, entry):
            return Synced(alike=1)
        if not dry_run:
            upload(client, bucket, key, path, "application/octet-stream", {})
        return Synced(copied=1, bytes=path.stat().st_size)

    done = _sum(in_parallel(one, files_of(directory, prefix)), f"{directory} to {bucket}", progress)
    files = {key for key, _ in files_of(directory, prefix)} if delete else set(there)
    extra = sorted(key for key in there if key not in files and not key.endswith("/"))
    remove(client, bucket, [] if dry_run else extra)
    return replace(done, removed=len(extra))


def _sum(results: Iterator[Synced], what: str, progress: Progress) -> Synced:
    done = Synced()
    for result in results:
        done = done.plus(result)
        progress(Step(what, done.copied + done.alike, None, done.bytes))
    return done


def file_of(directory: Path, key: str) -> Path:
    """The file of an object. Raises OperationError for a key that would leave the directory or that no file can have."""
    parts = key.split("/")
    if key.startswith("/") or any(part in ("", ".", "..") or "\0" in part or part.startswith(PARTIAL) for part in parts):
        raise OperationError(f"the key {key!r} cannot be the name of a file in {directory}; a backup keeps it, or sync "
                             "another prefix")
    return directory.joinpath(*parts)


def files_of(directory: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """The key and the path of each whole file; links are not followed."""
    for folder, _, names in os.walk(directory):
        for name in sorted(names):
            path = Path(folder, name)
            key = str(PurePosixPath(path.relative_to(directory)))
            if key.startswith(prefix) and not name.startswith(PARTIAL) and path.is_file() and not path.is_symlink():
                yield key, path


def alike(path: Path, entry: Object) -> bool:
    """Whether a file has the content of an object."""
    if not path.is_file() or path.is_symlink() or path.stat().st_size != entry.size:
        return False
    etag = etag_of(entry)
    whole, _, count = etag.partition("-")
    if not count:
        return digest_of(path).md5 == whole
    sizes = [size for size in PART_SIZES if math.ceil((entry.size or 0) / size) == int(count)]
    return any(_parts_etag(path, size) == etag for size in sizes)


def _parts_etag(path: Path, part: int) -> str:
    digest = Digest(part=part)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.parts_etag

