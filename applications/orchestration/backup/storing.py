"""Streams into and out of the bucket, hashed on their way, so that nothing large is kept in memory or on a disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, cast

from minio.error import MinioException
from urllib3.exceptions import HTTPError

from applications.monitoring.lake import LakeAccess
from applications.orchestration.backup.errors import BackupError
from applications.orchestration.backup.manifest import BUCKET, Content

PART = 16 * 1024 * 1024
CHUNK = 256 * 1024


class Hashed:
    """A stream that is read once, with the number of its bytes and their SHA-256 so far."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self._digest, self.size = source, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes; empty at the end."""
        found = self._source.read(size)
        self._digest.update(found)
        self.size += len(found)
        return found

    def content(self, key: str) -> Content:
        """What was read, as an object under this key."""
        return Content(key=key, size=self.size, sha256=self._digest.hexdigest())


def store(lake: LakeAccess, key: str, source: IO[bytes]) -> Content:
    """Stores a stream to its end. Raises BackupError."""
    hashed = Hashed(source)
    with _asking(lake, key):
        lake.client().put_object(BUCKET, key, cast(BinaryIO, hashed), -1, part_size=PART)
    return hashed.content(key)


def fetch(lake: LakeAccess, content: Content) -> Iterator[bytes]:
    """The bytes of an object. Raises BackupError, at their end when they are not what the manifest says."""
    with _asking(lake, content.key):
        answer: Any = lake.client().get_object(BUCKET, content.key)
        hashed = Hashed(answer)
        try:
            while chunk := hashed.read(CHUNK):
                yield chunk
        finally:
            answer.close()
            answer.release_conn()
    if hashed.content(content.key) != content:
        raise BackupError(f"{BUCKET}/{content.key} is not what the manifest says: {hashed.size} bytes instead of {content.size}, "
                          "or others. Something has changed it: take another day's backup, and make today's anew by the DAG backup")


@contextmanager
def _asking(lake: LakeAccess, key: str) -> Iterator[None]:
    try:
        yield
    except (MinioException, HTTPError) as error:
        words = getattr(error, "code", None) or type(error).__name__
        raise BackupError(f"{BUCKET}/{key}: the lake at {lake.endpoint} refuses the user {lake.user} or is away ({words}). Is the "
                          "object store up, and may this user write the bucket?") from error
