"""Fixtures of the tests of the observability layer's programs."""

from collections.abc import Iterator

import pytest

from tests.unit.observability.logs_world import Store, running


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty log store."""
    with running(Store()) as found:
        yield found
