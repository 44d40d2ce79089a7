"""Which services live: a port that is open, or whoever speaks for a service that has none."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from applications.monitoring.service.measuring import Found, Sample
from applications.monitoring.service.platform import Platform, ServicePart

CONNECT_SECONDS = 1.5
ANSWER_SECONDS = 2.0
"""How long is waited for all. The name of a container that is gone may be looked for much longer, by name servers elsewhere."""
Spoken = Callable[[], Mapping[str, bool] | None]
"""Says of services without a port whether they live; None while it cannot be said."""


class Services:
    """Knocks at every service of the layers that run."""

    def __init__(self, platform: Platform, spoken: Spoken, knock: Callable[[str, int], bool] | None = None) -> None:
        running = {layer.name for layer in platform.layers if layer.state == "running"}
        self._services = [service for service in platform.services if service.layer in running]
        self._spoken, self._knock = spoken, knock or knocked
        self._threads = ThreadPoolExecutor(max(1, len(self._services)), thread_name_prefix="knock")
        self._waiting: dict[str, Future[bool]] = {}

    def measure(self) -> Found:
        """Of each service whether it is up; the facts are the same by name. What nobody can speak for is left out."""
        for service in self._services:
            # Where an earlier knock still waits, it is waited on: one that hangs takes no more than its own thread.
            if service.port is not None and service.name not in self._waiting:
                self._waiting[service.name] = self._threads.submit(self._knock, service.host, service.port)
        wait(self._waiting.values(), ANSWER_SECONDS)
        said = self._spoken() or {}
        states = {service: said.get(service.name) if service.port is None else self._opened(service) for service in self._services}
        found = {service: state for service, state in states.items() if state is not None}
        samples = tuple(Sample("service_up", float(state), (service.name, service.layer)) for service, state in found.items())
        return Found(samples, {service.name: state for service, state in found.items()})

    def _opened(self, service: ServicePart) -> bool:
        if not self._waiting[service.name].done():
            return False
        return self._waiting.pop(service.name).result()


def knocked(host: str, port: int) -> bool:
    """Whether somebody opens."""
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS):
            return True
    except OSError:
        return False
