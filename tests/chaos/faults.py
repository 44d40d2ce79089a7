"""Making a fault, and ending it. Nothing here mends anything but the fault itself."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from docker.models.containers import Container

from tests.chaos.disks import Disks
from tests.chaos.planner import Fault, Kind
from tests.e2e.stack import Stack


class Faults:
    """Makes faults in one stack."""

    def __init__(self, stack: Stack, disks: Disks) -> None:
        self._stack, self._disks = stack, disks
        self._make: Mapping[Kind, Callable[[Fault], None]] = {
            Kind.KILL: self._kill, Kind.PAUSE: self._pause, Kind.CUT: self._cut, Kind.RESTART: self._restart, Kind.DISK: self._full}

    def strike(self, fault: Fault) -> None:
        """Makes a fault, and returns as soon as its cause is gone."""
        self._make[fault.kind](fault)

    def _kill(self, fault: Fault) -> None:
        # Not `docker kill`: Docker takes that for the wish of an operator and leaves the container alone.
        container = self._stack.containers()[fault.targets[0]]
        os.kill(first_process(container), signal.SIGKILL)

    def _pause(self, fault: Fault) -> None:
        container = self._stack.containers()[fault.targets[0]]
        container.pause()
        try:
            time.sleep(fault.seconds)
        finally:
            container.unpause()

    def _cut(self, fault: Fault) -> None:
        first, second = (self._stack.containers()[name] for name in fault.targets)
        other = address(second)
        rules = [["INPUT", "-s", other, "-j", "DROP"], ["OUTPUT", "-d", other, "-j", "DROP"]]
        inside = ["nsenter", "--target", str(first_process(first)), "--net", "iptables", "--wait"]
        try:
            for rule in rules:
                subprocess.run([*inside, "-I", *rule], check=True, capture_output=True)
            time.sleep(fault.seconds)
        finally:
            for rule in rules:
                # The rules are gone with the container, should it have ended meanwhile.
                subprocess.run([*inside, "-D", *rule], check=False, capture_output=True)

    def _restart(self, fault: Fault) -> None:
        containers = list(self._stack.containers().values())
        with ThreadPoolExecutor(len(containers)) as pool:
            list(pool.map(lambda container: container.restart(timeout=fault.seconds), containers))

    def _full(self, fault: Fault) -> None:
        self._disks.full(fault.targets[0], fault.seconds)


def address(container: Container) -> str:
    """The container's address on the stack's network."""
    networks: Mapping[str, Mapping[str, str]] = container.attrs["NetworkSettings"]["Networks"]
    return next(iter(networks.values()))["IPAddress"]



def first_process(container: Container) -> int:
    """The number of the container's first process on this host. Raises RuntimeError where none runs: 0 would be our own group."""
    found: int = container.attrs["State"]["Pid"]
    if found <= 0:
        raise RuntimeError(f"{container.name} does not run, so no fault can strike it")
    return found
