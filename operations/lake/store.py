"""The object store: its client, its errors in our words, and whole objects to and from files."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import urllib3
from minio import Minio
from minio.datatypes import Object
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from components.infrastructure.settings import InfrastructureSettings
from components.settings import Settings
from operations.faults import OperationError

OPERATOR = "storage-operator"
PART = 16 * 1024 * 1024
"""Larger objects are uploaded in parts of this size, one after the other: what a transfer holds in memory."""
CHUNK = 1024 * 1024
AT_ONCE = 4
SECONDS = 60
GONE = ("NoSuchKey", "NoSuchObject")
A = TypeVar("A")
B = TypeVar("B")


class Vanished(Exception):
    """An object that was listed is no longer there."""


def connect(settings: Settings) -> Minio:
    """The lake as storage-operator, from the host."""
    layer = settings.of(InfrastructureSettings)
    return client_of(f"{settings.platform.bind_address}:{layer.port('minio')}", settings.platform.secrets[f"lake-{OPERATOR}"])


def client_of(address: str, secret: str) -> Minio:
    """The lake at `host:port` as storage-operator."""
    pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=SECONDS), maxsize=AT_ONCE + 2,
                               retries=urllib3.Retry(total=3, backoff_factor=0.3, status_forcelist=(500, 502, 503, 504)))
    return Minio(address, OPERATOR, secret, secure=False, region="us-east-1", http_client=pool)


@contextmanager
def errors(doing: str) -> Iterator[None]:
    """Turns errors of the store and of files into an OperationError; `doing` says what failed ("the backup")."""
    try:
        yield
    except S3Error as error:
        where = "/".join(part for part in (error.bucket_name, error.object_name) if part)
        hint = {"NoSuchBucket": "`./pipeline infrastructure start` makes the buckets",
                "AccessDenied": "`./pipeline infrastructure init` sets the users' rights again",
                "XMinioStorageFull": "free disk space, then run the same command: it goes on from here"}.get(error.code or "")
        raise OperationError(f"{doing} failed: {where}: {error.code}: {error.message}" + (f"; {hint}" if hint else "")) from None
    except urllib3.exceptions.HTTPError as error:
        raise OperationError(f"{doing} failed: MinIO does not answer ({str(error).splitlines()[0][:200]}); "
                             "`./pipeline infrastructure start` brings it back, the same command then goes on from here") from None
    except OSError as error:
        raise OperationError(f"{doing} failed: {error.filename or 'file'}: {error.strerror or error}; "
                             "mend that, the same command then goes on from here") from None


@dataclass
class Digest:
    """What identifies a content: its size, its SHA-256, and the ETag of an upload in parts of `part` bytes."""

    part: int = PART
    size: int = 0
    _sha: hashlib._Hash = field(default_factory=hashlib.sha256)
    _part: hashlib._Hash = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))
    _parts: list[bytes] = field(default_factory=list)
    _whole: hashlib._Hash = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))

    def update(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        self._sha.update(chunk)
        self._whole.update(chunk)
        while chunk:
            room = self.part - self.size % self.part
            self._part.update(chunk[:room])
            self.size += len(chunk[:room])
            if self.size % self.part == 0:
                self._parts.append(self._part.digest())
                self._part = hashlib.md5(usedforsecurity=False)
            chunk = chunk[room:]

    @property
    def sha256(self) -> str:
        """In hexadecimal."""
        return self._sha.hexdigest()

    @property
    def md5(self) -> str:
        """In hexadecimal: the ETag of an object that was uploaded in one piece."""
        return self._whole.hexdigest()

    @property
    def parts_etag(self) -> str:
        """The ETag of an upload of many parts."""
        parts = [*self._parts, *([self._part.digest()] if self.size % self.part else [])]
        return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"

    @property
    def etag(self) -> str:
        """The ETag that the store gives to this content when we upload it."""
        return self.md5 if self.size <= self.part else self.parts_etag


@dataclass(frozen=True)
class Fetched:
    """An object that stands in a file now."""

    digest: Digest
    content_type: str
    metadata: Mapping[str, str]


def digest_of(path: Path) -> Digest:
    """The digest of a file."""
    digest = Digest()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest


def download(client: Minio, bucket: str, key: str, path: Path) -> Fetched:
    """An object into a file, compared with what the store says of it. Raises Vanished, and S3Error for other faults."""
    try:
        answer = client.get_object(bucket, key)
    except S3Error as error:
        if error.code in GONE:
            raise Vanished(key) from None
        raise
    digest = Digest()
    try:
        with path.open("wb") as file:
            for chunk in answer.stream(CHUNK):
                file.write(chunk)
                digest.update(chunk)
        etag, length = (answer.headers.get("ETag") or "").strip('"'), int(answer.headers.get("Content-Length") or digest.size)
        metadata = {name.lower().removeprefix("x-amz-meta-"): value for name, value in answer.headers.items()
                    if name.lower().startswith("x-amz-meta-")}
        kind = answer.headers.get("Content-Type") or "application/octet-stream"
    finally:
        answer.close()
        answer.release_conn()
    if digest.size != length or ("-" not in etag and etag and etag != digest.md5):
        raise OSError(0, "what arrived is not what the store has", f"{bucket}/{key}")
    return Fetched(digest, kind, metadata)


def upload(client: Minio, bucket: str, key: str, path: Path, content_type: str, metadata: Mapping[str, str]) -> str:
    """A file into an object; its ETag."""
    result = client.fput_object(bucket, key, str(path), content_type=content_type, metadata=dict(metadata) or None, part_size=PART,
                                num_parallel_uploads=1)
    return (result.etag or "").strip('"')


def listed(client: Minio, bucket: str, prefix: str = "") -> Iterator[Object]:
    """Every object of a bucket in the order of its keys, in its latest version."""
    yield from client.list_objects(bucket, prefix=prefix, recursive=True)


def etag_of(entry: Object) -> str:
    """The ETag of a listed object."""
    return (entry.etag or "").strip('"')


def remove(client: Minio, bucket: str, keys: Iterable[str]) -> None:
    """Removes objects. Raises OperationError for one that the store keeps."""
    for fault in client.remove_objects(bucket, (DeleteObject(key) for key in keys)):
        raise OperationError(f"{bucket}/{fault.name} could not be removed: {fault.code}: {fault.message}")


def in_parallel(action: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """The results of an action on each item, in their order; a few at a time, and no more are taken from `items` than that."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting: deque[Future[B]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(action, item))
                if len(waiting) >= 2 * AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
