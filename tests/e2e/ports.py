"""Finding host ports that nobody uses."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from components.settings import layer_kinds

STEP = 500
LARGEST = 50_000


def free_offset(wanted: int) -> int:
    """The first port offset from `wanted` on at which every port of the platform is free. Raises RuntimeError at the end."""
    ports = [port for kind in layer_kinds().values() for port in kind.default_ports.values()]
    for offset in range(wanted, LARGEST, STEP):
        if all_free(port + offset for port in ports):
            return offset
    raise RuntimeError(
        f"no port offset from {wanted} to {LARGEST} has all of {sorted(ports)} free on this machine"
    )


def all_free(ports: Iterable[int]) -> bool:
    """Whether nobody listens on any of the ports of the loopback address."""
    for port in ports:
        with socket.socket() as probe:
            # Without it a connection that was closed a minute ago would count as a listener.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_port() -> int:
    """Any port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
