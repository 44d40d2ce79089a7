"""A lake in a folder, and one behind S3's interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from applications.monitoring.lake import LakeAccess
from tests.unit.monitoring.monitoring_world import World
from tests.unit.operations.s3_server import Server, serving


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty lake."""
    return World(tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    """An object store."""
    with serving("bronze", "gold", "backups") as found:
        yield found


@pytest.fixture
def lake(server: Server) -> LakeAccess:
    """Somebody who may use it."""
    return LakeAccess(f"http://{server.address}", "airflow", "a-secret-of-its-own")
