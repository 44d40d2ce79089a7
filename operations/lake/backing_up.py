"""A copy of the lake and the databases that can be restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from docker.models.containers import Container
from minio import Minio
from minio.datatypes import Object
from minio.error import S3Error

from operations.lake import manifest
from operations.lake.databases import dump
from operations.lake.listing import buckets as count_buckets
from operations.lake.manifest import MANIFEST, OBJECTS, Dump, Entry, Manifest
from operations.lake.progress import Progress, Step, silent
from operations.lake.store import GONE, Digest, Vanished, digest_of, download, errors, etag_of, in_parallel, listed
from operations.lake.vaults import NAME, Vault

BUCKETS = ("bronze", "gold", "mlflow-artifacts", "quarantine", "silver")
"""What is kept. Not the backups themselves, and not checkpoints: they hold offsets of topics that a new platform does not have."""
HINT = "/_delta_log/_last_checkpoint"
"""Only tells readers of a table where to look first; it is overwritten, and could name what the backup does not have yet."""


def backup(client: Minio, vault: Vault, *, databases: Mapping[str, Container] | None = None,
           progress: Progress = silent) -> Manifest:
    """Copies every object in its latest version with its metadata, and the databases; its manifest is written last.

    A backup that was cut off is taken up again: what it has already is not copied anew. `databases` are those to dump, each
    with the container of its server. Objects that are removed meanwhile are left out. Raises OperationError.
    """
    with errors("the backup"), vault.scratch() as scratch:
        cut_off = [folder for folder in vault.folders() if vault.size(f"{folder}/{MANIFEST}") is None]
        name = cut_off[-1] if cut_off else datetime.now(UTC).strftime(NAME)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        dumps = [_dump(vault, name, database, container, scratch) for database, container in (databases or {}).items()]
        objects = scratch / OBJECTS
        counts = {bucket: manifest.Count() for bucket in BUCKETS} | manifest.write(
            objects, _copied(client, vault, name, scratch, progress))
        if cut_off:
            _forget(vault, name, {entry.item for entry in manifest.entries(objects)}, dumps)
        digest = digest_of(objects)
        vault.put(f"{name}/{OBJECTS}", objects)
        summary = Manifest(name=name, started=started, finished=datetime.now(UTC).isoformat(timespec="seconds"), buckets=counts,
                           databases=dumps, objects_sha256=digest.sha256)
        last = scratch / MANIFEST
        last.write_text(summary.model_dump_json(indent=2))
        vault.put(f"{name}/{MANIFEST}", last)
    return summary


def _copied(client: Minio, vault: Vault, name: str, scratch: Path, progress: Progress) -> Iterator[Entry]:
    total = sum(info.objects for info in count_buckets(client, BUCKETS))
    numbers = count()

    def one(found: tuple[str, Object]) -> Entry | None:
        return _copy(client, vault, name, *found, scratch / f"object-{next(numbers)}")

    done = size = 0
    # Listed in the order of keys, a table's log comes before its data: every file that the copied log names is there, too.
    for entry in in_parallel(one, _objects(client)):
        if entry is not None:
            done, size = done + 1, size + entry.size
            progress(Step(f"backup {name}", done, max(total, done), size))
            yield entry


def _objects(client: Minio) -> Iterator[tuple[str, Object]]:
    for bucket in BUCKETS:
        for entry in listed(client, bucket):
            if not str(entry.object_name).endswith(HINT):
                yield bucket, entry


def _copy(client: Minio, vault: Vault, name: str, bucket: str, found: Object, scratch: Path) -> Entry | None:
    key = str(found.object_name)
    item = Entry.item_of(bucket, key, etag_of(found))
    digest: Digest | None = vault.digest(f"{name}/{item}") if vault.size(f"{name}/{item}") == found.size else None
    try:
        if digest is None:
            fetched = download(client, bucket, key, scratch)
            vault.put(f"{name}/{item}", scratch)
            return _entry(bucket, key, item, fetched.digest, fetched.content_type, fetched.metadata)
        stat = client.stat_object(bucket, key)
    except Vanished:
        return None
    except S3Error as error:
        if error.code in GONE:
            return None
        raise
    metadata = {name.lower().removeprefix("x-amz-meta-"): value for name, value in (stat.metadata or {}).items()
                if name.lower().startswith("x-amz-meta-")}
    return _entry(bucket, key, item, digest, stat.content_type or "application/octet-stream", metadata)


def _entry(bucket: str, key: str, item: str, digest: Digest, kind: str, metadata: Mapping[str, str]) -> Entry:
    return Entry(bucket=bucket, key=key, size=digest.size, sha256=digest.sha256, etag=digest.etag, content_type=kind,
                 metadata=dict(metadata), item=item)


def _dump(vault: Vault, name: str, database: str, container: Container, scratch: Path) -> Dump:
    path = scratch / f"{database}.dump"
    dump(container, database, path)
    digest = digest_of(path)
    vault.put(f"{name}/databases/{database}.dump", path)
    return Dump(database=database, size=digest.size, sha256=digest.sha256)


def _forget(vault: Vault, name: str, items: set[str], dumps: list[Dump]) -> None:
    """Removes what an earlier, cut off run of this backup left and the lake no longer has."""
    wanted = {f"{name}/{item}" for item in items} | {f"{name}/databases/{found.database}.dump" for found in dumps}
    for stored in list(vault.names(name)):
        if stored not in wanted:
            vault.remove(stored)
