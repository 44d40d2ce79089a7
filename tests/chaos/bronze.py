"""The bronze zone, read again and again: each object once, unless it was written anew."""

from __future__ import annotations

import io
from collections import Counter

import pyarrow.parquet as pq

from tests.chaos.verdict import Verdict, event_of
from tests.e2e.lake import USER, Position, Record
from tests.e2e.probes import s3_client
from tests.e2e.stack import Stack


class Bronze:
    """What stands in bronze, as far as it was read: `records` by position, and `copies`, how often each position is there."""

    def __init__(self, stack: Stack) -> None:
        self._endpoint, self._secret = f"http://127.0.0.1:{stack.port('minio')}", stack.secrets[f"lake-{USER}"]
        self._objects: dict[str, tuple[str, Counter[Position]]] = {}
        self.records: dict[Position, Record] = {}
        self.copies: Counter[Position] = Counter()
        self.ids: set[str] = set()

    def read(self) -> None:
        """Takes in what is new. Raises the store's errors while it is away."""
        client = s3_client(self._endpoint, USER, self._secret)
        for page in client.get_paginator("list_objects_v2").paginate(Bucket="bronze"):
            for entry in page.get("Contents", []):
                key, tag = entry["Key"], entry["ETag"]
                if key.endswith(".parquet") and self._objects.get(key, ("",))[0] != tag:
                    body = client.get_object(Bucket="bronze", Key=key)["Body"].read()
                    self._take(key, tag, body)

    def _take(self, key: str, tag: str, body: bytes) -> None:
        rows = {}
        positions: Counter[Position] = Counter()
        for row in pq.read_table(io.BytesIO(body)).to_pylist():
            position = (row["topic"], row["partition"], row["offset"])
            positions[position] += 1
            rows[position] = Record(int(row["timestamp"].timestamp() * 1000), row["key"], row["value"])
        if key in self._objects:
            self.copies.subtract(self._objects[key][1])
        self._objects[key] = (tag, positions)
        self.copies.update(positions)
        self.records.update(rows)
        self.ids |= {found for position, record in rows.items() if (found := event_of(position, record))}

    def verdict(self, promised: set[str]) -> Verdict:
        """Each promised event must be there; each position must be there once."""
        return Verdict(frozenset(promised - self.ids),
                       frozenset(position for position, count in self.copies.items() if count > 1))
