"""Fixtures of the tests that run the images themselves; they need Docker, and build what is missing."""

from collections.abc import Callable, Iterator

import pytest

from operations.images import connect, tag_of
from tests.images.boxes import Boxes
from tests.images.building import build_all


@pytest.fixture(scope="session")
def image() -> Callable[[str], str]:
    """The tag of an image that is built; all of them are, by the first test that asks."""
    build_all()
    return tag_of


@pytest.fixture
def boxes() -> Iterator[Boxes]:
    """Containers, volumes and networks that are gone after the test."""
    client = connect()
    found = Boxes(client)
    yield found
    found.clean()
    client.close()
