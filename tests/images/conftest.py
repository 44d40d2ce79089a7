"""Fixtures of the tests that run the images themselves; they need Docker, and build what is missing."""

from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from operations.images import connect, ensure_built
from operations.setup.base_image import ensure_base
from tests.images.boxes import Boxes


@pytest.fixture(scope="session")
def image() -> Callable[[str], str]:
    """The tag of an image that is built."""
    console = Console(stderr=True)
    ensure_base(console, None)
    return lambda name: ensure_built(name, console)


@pytest.fixture
def boxes() -> Iterator[Boxes]:
    """Containers, volumes and networks that are gone after the test."""
    client = connect()
    found = Boxes(client)
    yield found
    found.clean()
    client.close()
