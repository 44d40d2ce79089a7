"""One server of each kind for all tests of the plugins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.providers.servers import OneResource, Server, running


@pytest.fixture(scope="session")
def minio() -> Iterator[Server]:
    """A MinIO server."""
    with running("minio") as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server."""
    with running("postgres") as server:
        yield server


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """The server of the kind that a test's parameter names."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def one(tmp_path: Path, server: Server) -> OneResource:
    """A stack of one resource in that server."""
    return OneResource(tmp_path, server)
