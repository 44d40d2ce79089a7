"""Rule: a run takes ports that nobody uses, and moves on rather than fail where somebody does."""

from __future__ import annotations

import socket

from components.settings import layer_kinds
from tests.e2e.conftest import OFFSET
from tests.e2e.ports import STEP, free_offset


def test_an_offset_with_a_taken_port_is_passed_over() -> None:
    """One listener on one of the ports is enough."""
    free = free_offset(OFFSET)
    port = next(port for kind in layer_kinds().values() for port in kind.default_ports.values())
    with socket.socket() as somebody:
        # As the search does: a connection that was closed a minute ago is nobody.
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        somebody.bind(("127.0.0.1", port + free))
        somebody.listen()
        assert free_offset(free) >= free + STEP
