"""The lake as monitoring needs it: who asks, small objects, and an index of what is there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from minio import Minio

SECONDS = 30
CONNECT_SECONDS = 5
TRIES = 2


class LakeError(Exception):
    """The lake cannot be read or written, in words for whoever runs the platform."""


@dataclass(frozen=True)
class Stored:
    """One object of a bucket: its key, bytes, ETag and when it was last written (UTC)."""

    key: str
    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True)
class LakeAccess:
    """Where the lake is (`endpoint`, such as http://minio:9000) and who asks. Every method raises LakeError."""

    endpoint: str
    user: str
    secret: str = field(repr=False)
    region: str = "us-east-1"

    def options(self) -> dict[str, str]:
        """What the Delta library needs to read and write tables, commits by conditional PUT. Holds the secret."""
        return {"aws_endpoint": self.endpoint, "aws_region": self.region, "aws_access_key_id": self.user,
                "aws_secret_access_key": self.secret, "aws_virtual_hosted_style_request": "false", "aws_conditional_put": "etag",
                "allow_http": "true", "timeout": f"{SECONDS}s", "connect_timeout": f"{CONNECT_SECONDS}s"}

    def client(self) -> Minio:
        """A client of the object store that does not wait for minutes."""
        # Imported here: DAG files name this class, and are read every few seconds.
        import urllib3
        from minio import Minio
        place = urlsplit(self.endpoint)
        pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=SECONDS),
                                   retries=urllib3.Retry(TRIES, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]))
        return Minio(place.netloc, self.user, self.secret, secure=place.scheme == "https", region=self.region, http_client=pool)

    def put(self, bucket: str, key: str, content: bytes, content_type: str = "application/json") -> None:
        """Stores an object in the place of the one under its key."""
        with self._asking(bucket, key):
            self.client().put_object(bucket, key, BytesIO(content), len(content), content_type)

    def get(self, bucket: str, key: str) -> bytes | None:
        """An object's content; None where there is none."""
        from minio.error import S3Error
        with self._asking(bucket, key):
            try:
                answer = self.client().get_object(bucket, key)
            except S3Error as error:
                if error.code in ("NoSuchKey", "NoSuchBucket"):
                    return None
                raise
            try:
                return bytes(answer.read())
            finally:
                answer.close()
                answer.release_conn()

    def get_json(self, bucket: str, key: str) -> Mapping[str, Any] | None:
        """A JSON object; None where there is none. LakeError, too, when it is something else."""
        content = self.get(bucket, key)
        if content is None:
            return None
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise LakeError(f"{bucket}/{key} is no JSON object: remove it, and whatever writes it makes it anew")
        return found

    def remove(self, bucket: str, key: str) -> None:
        """Removes an object; nothing happens where there is none."""
        with self._asking(bucket, key):
            self.client().remove_object(bucket, key)

    def objects(self, bucket: str, prefix: str = "") -> Iterator[Stored]:
        """The objects of a bucket whose keys begin with the prefix, in the order of their keys."""
        with self._asking(bucket, prefix):
            for found in self.client().list_objects(bucket, prefix=prefix, recursive=True):
                if found.object_name and found.last_modified and not found.is_dir:
                    yield Stored(found.object_name, found.size or 0, (found.etag or "").strip('"'), found.last_modified)

    def folders(self, bucket: str, prefix: str) -> list[str]:
        """The names of what looks like folders directly below the prefix, which ends with a slash."""
        with self._asking(bucket, prefix):
            return sorted(found.object_name[len(prefix):-1] for found in self.client().list_objects(bucket, prefix=prefix)
                          if found.object_name and found.is_dir)

    def buckets(self) -> list[str]:
        """The names of all buckets that there are."""
        with self._asking("", "all buckets"):
            return sorted(bucket.name for bucket in self.client().list_buckets())

    @contextmanager
    def _asking(self, bucket: str, key: str) -> Iterator[None]:
        from minio.error import MinioException
        from urllib3.exceptions import HTTPError
        try:
            yield
        except (MinioException, HTTPError, OSError) as error:
            words = getattr(error, "code", None) or type(error).__name__
            raise LakeError(f"{bucket}/{key}: the lake at {self.endpoint} refuses the user {self.user} or is away ({words}). Is "
                            "the object store up, does the bucket exist, and may this user use it?") from error
