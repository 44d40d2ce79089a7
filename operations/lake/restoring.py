"""A backup back into a platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from docker.models.containers import Container
from minio import Minio

from operations.faults import OperationError
from operations.lake.databases import is_empty, load
from operations.lake.listing import buckets as count_buckets
from operations.lake.manifest import HOW_TO, MANIFEST, OBJECTS, Count, Entry, Manifest, entries
from operations.lake.progress import Progress, Step, silent
from operations.lake.store import Vanished, digest_of, errors, etag_of, in_parallel, listed, remove, upload
from operations.lake.vaults import Vault

RESET = "checkpoints"
"""Emptied: what its streams remember are places in topics and tables as they were at another time."""
LOG = "/_delta_log/"
OVERWRITE = "restore into a platform whose other layers never ran, or say that its data may go (--overwrite)"
SHOWN = 3


@dataclass(frozen=True)
class Restored:
    """What was restored: the backup's manifest, how many objects were uploaded (the rest was there already), and how many that are
    not of the backup were removed."""

    manifest: Manifest
    uploaded: int
    removed: int = 0


def restore(client: Minio, vault: Vault, name: str | None = None, *, overwrite: bool = False,
            databases: Mapping[str, Container] | None = None, dry_run: bool = False, progress: Progress = silent) -> Restored:
    """Brings back a whole backup: the newest one, or the one of that name.

    Nothing is changed before all of the backup was found to be there. A bucket or a database that holds anything else is
    refused, unless `overwrite` lets it go. Every content is compared with its SHA-256 before it is uploaded, and with its
    ETag after. What an earlier, cut off run restored is not uploaded again. With `dry_run` all is looked at that would be before
    the first change, nothing is changed, and what is returned is what would be done. Raises OperationError.
    """
    with errors("the restore"), TemporaryDirectory(prefix="lake-") as folder:
        scratch = Path(folder)
        chosen = _choose(vault, name)
        summary = Manifest.read(vault.fetch(f"{chosen}/{MANIFEST}", scratch))
        objects = vault.fetch(f"{chosen}/{OBJECTS}", scratch)
        if digest_of(objects).sha256 != summary.objects_sha256:
            raise OperationError(f"the list of objects of the backup {chosen} was changed since; {HOW_TO}")
        _check_whole(vault, chosen, objects, summary)
        _check_databases(summary, databases or {}, overwrite)
        if not overwrite:
            _check_buckets(client, summary, objects)
        if dry_run:
            return _planned(client, summary, objects)
        removed = _clear(client, summary, objects) if overwrite else 0
        uploaded = _upload_all(client, vault, summary, objects, scratch, progress)
        for dump in summary.databases:
            if databases and dump.database in databases:
                path = _verified(vault, f"{chosen}/databases/{dump.database}.dump", dump.sha256, scratch)
                load(databases[dump.database], dump.database, path)
        _compare(client, summary)
    return Restored(summary, uploaded, removed)


def _choose(vault: Vault, name: str | None) -> str:
    folders = vault.folders()
    whole = [folder for folder in folders if vault.size(f"{folder}/{MANIFEST}") is not None]
    if name in whole:
        return str(name)
    if name in folders:
        raise OperationError(f"the backup {name} was cut off and is not whole; the same backup command finishes it")
    known = f"whole backups: {', '.join(whole)}" if whole else "there is no whole backup here"
    if name is not None or not whole:
        raise OperationError(f"there is no backup {name}; {known}" if name else f"{known}; name the directory that holds one")
    return whole[-1]


def _check_whole(vault: Vault, name: str, objects: Path, summary: Manifest) -> None:
    def there(entry: Entry) -> bool:
        return vault.size(f"{name}/{entry.item}") == entry.size

    gone = sum(not found for found in in_parallel(there, entries(objects))) + sum(
        vault.size(f"{name}/databases/{dump.database}.dump") != dump.size for dump in summary.databases)
    if gone:
        raise OperationError(f"the backup {name} is no longer whole: {gone} of its parts are gone or of another size; {HOW_TO}")


def _check_databases(summary: Manifest, databases: Mapping[str, Container], overwrite: bool) -> None:
    full = [d.database for d in summary.databases if d.database in databases and not is_empty(databases[d.database], d.database)]
    if full and not overwrite:
        raise OperationError(f"the database {', '.join(full)} holds tables already; {OVERWRITE}")


def _check_buckets(client: Minio, summary: Manifest, objects: Path) -> None:
    """Raises OperationError where a bucket holds what is not of this backup."""
    for bucket in (*summary.buckets, RESET):
        found = [key for _, key in zip(range(SHOWN), _foreign(client, bucket, objects), strict=False)]
        if found:
            raise OperationError(f"the bucket {bucket} holds data already ({', '.join(found)} …); {OVERWRITE}")


def _planned(client: Minio, summary: Manifest, objects: Path) -> Restored:
    joined = (pair for bucket in summary.buckets for _, *pair in _joined(client, bucket, objects))
    missing = sum(wanted is not None and there != wanted for there, wanted in joined)
    foreign = sum(1 for bucket in (*summary.buckets, RESET) for _ in _foreign(client, bucket, objects))
    return Restored(summary, missing, foreign)


def _clear(client: Minio, summary: Manifest, objects: Path) -> int:
    """Removes what is not of this backup; how many objects that were."""
    removed = 0
    for bucket in (*summary.buckets, RESET):
        foreign = list(_foreign(client, bucket, objects))
        remove(client, bucket, foreign)
        removed += len(foreign)
    return removed


def _foreign(client: Minio, bucket: str, objects: Path) -> Iterator[str]:
    for key, there, wanted in _joined(client, bucket, objects):
        if there is not None and there != wanted:
            yield key


def _joined(client: Minio, bucket: str, objects: Path) -> Iterator[tuple[str, str | None, str | None]]:
    """Each key of the bucket or the backup with the ETags that it has here and there; both come in the order of keys."""
    here = ((str(found.object_name), etag_of(found)) for found in listed(client, bucket))
    there = ((entry.key, entry.etag) for entry in entries(objects) if entry.bucket == bucket)
    left, right = next(here, None), next(there, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0].encode() < right[0].encode()):
            assert left is not None
            yield left[0], left[1], None
            left = next(here, None)
        elif left is None or left[0] != right[0]:
            yield right[0], None, right[1]
            right = next(there, None)
        else:
            yield left[0], left[1], right[1]
            left, right = next(here, None), next(there, None)


def _upload_all(client: Minio, vault: Vault, summary: Manifest, objects: Path, scratch: Path, progress: Progress) -> int:
    numbers = count()

    def one(entry: Entry) -> int | None:
        folder = scratch / str(next(numbers))
        folder.mkdir()
        path = _verified(vault, f"{summary.name}/{entry.item}", entry.sha256, folder)
        etag = upload(client, entry.bucket, entry.key, path, entry.content_type, entry.metadata)
        if folder in path.parents:
            path.unlink()
        folder.rmdir()
        if etag != entry.etag:
            raise OperationError(f"{entry.bucket}/{entry.key} did not arrive as it was sent; run the same command again")
        return entry.size

    total, uploaded, size = summary.total.objects, 0, 0
    # Tables' logs last: a restore that was cut off leaves files that no table names, never a table without its files.
    for logs in (False, True):
        for sent in in_parallel(one, _missing(client, summary, objects, logs)):
            uploaded, size = uploaded + 1, size + (sent or 0)
            progress(Step(f"restore {summary.name}", uploaded, total, size))
    return uploaded


def _missing(client: Minio, summary: Manifest, objects: Path, logs: bool) -> Iterator[Entry]:
    for bucket in summary.buckets:
        own = (entry for entry in entries(objects) if entry.bucket == bucket)
        for key, there, wanted in _joined(client, bucket, objects):
            if wanted is None:
                continue
            entry = next(own)
            assert entry.key == key
            if there is None and (LOG in f"/{key}") is logs:
                yield entry


def _verified(vault: Vault, name: str, sha256: str, scratch: Path) -> Path:
    try:
        path = vault.fetch(name, scratch)
    except Vanished:
        raise OperationError(f"{name} is gone from the backup; {HOW_TO}") from None
    if digest_of(path).sha256 != sha256:
        raise OperationError(f"{name} is not what was backed up (its SHA-256 differs); {HOW_TO}")
    return path


def _compare(client: Minio, summary: Manifest) -> None:
    there = {info.name: Count(objects=info.objects, bytes=info.bytes) for info in count_buckets(client, summary.buckets)}
    wrong = sorted(bucket for bucket in there if there[bucket] != summary.buckets[bucket])
    if wrong:
        raise OperationError(f"{', '.join(wrong)} does not hold what the backup has, somebody wrote meanwhile; stop the other "
                             "layers (`./pipeline ingestion stop`) and run the same command again")
