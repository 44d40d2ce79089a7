"""A lake with something in it, and an empty one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from minio import Minio

from components.infrastructure.tables import BUCKETS
from operations.lake.store import client_of
from tests.unit.operations.s3_server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    """A lake with something in every bucket."""
    with serving(*BUCKETS) as found:
        for number in range(17):
            found.put("bronze", f"patient-vitals/date=2026-11-25/hour=10/0-{number}0-{number}9-0123456789ab.parquet",
                      bytes([number]) * 50)
        found.put("silver", "labs/_delta_log/00000000000000000000.json", b"{}")
        found.put("silver", "labs/_delta_log/_last_checkpoint", b"ahead")
        found.put("silver", "labs/event_date=2026-11-25/part-0.parquet", b"rows")
        found.put("silver", "labs", b"a key that is the beginning of others")
        found.put("gold", "odd/key with spaces/é//+%2F&<>", b"gold")
        found.put("mlflow-artifacts", "1/model.bin", b"m" * 5000)
        found.put("mlflow-artifacts", "1/MLmodel", b"yaml", **{"Content-Type": "text/yaml", "x-amz-meta-run": "7"})
        found.put("quarantine", "empty", b"")
        found.put("checkpoints", "labs/offsets/0", b"offsets")
        yield found


@pytest.fixture
def client(server: Server) -> Minio:
    """The operator's client."""
    return client_of(server.address, "secret")


@pytest.fixture
def target() -> Iterator[Server]:
    """An empty platform."""
    with serving(*BUCKETS) as found:
        yield found
