"""What the lake holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from minio import Minio

from components.infrastructure.tables import BUCKETS
from components.storage.layer import VERSIONED
from operations.lake.store import errors, listed


@dataclass(frozen=True)
class BucketInfo:
    """One bucket: how many objects in their latest version, their bytes, and whether older versions are kept."""

    name: str
    objects: int
    bytes: int
    versioned: bool


def buckets(client: Minio, names: Iterable[str] = BUCKETS) -> list[BucketInfo]:
    """Counts each bucket. Whether versions are kept is what the storage layer declares; its probe compares that with the store."""
    with errors("listing the lake"):
        return [_count(client, name) for name in names]


def _count(client: Minio, name: str) -> BucketInfo:
    objects = size = 0
    for entry in listed(client, name):
        objects += 1
        size += entry.size or 0
    return BucketInfo(name, objects, size, name in VERSIONED)
