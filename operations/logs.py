"""The logs of one service or of many."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterable, Iterator

from docker.errors import DockerException
from docker.models.containers import Container

from operations.faults import OperationError
from operations.services import connect, found


def show_logs(layers: list[str], service: str | None, name: str, follow: bool, tail: int) -> None:
    """Prints the logs, each line behind its service where there are several. Raises OperationError where there are none."""
    own = [c for c in found(connect(), name) if c.labels["clinical.layer"] in layers]
    chosen = [c for c in own if service in (None, c.labels["clinical.service"])]
    if not chosen:
        known = ", ".join(c.labels["clinical.service"] for c in own)
        todo = f"Services with a container: {known}." if known else \
            f"What to do: `./pipeline {layers[-1]} start --stack {name}` where the layer has services, or name another layer."
        raise OperationError(f"there is no container of {service or ', '.join(layers)} in the stack {name}. {todo}")
    width = max(len(c.labels["clinical.service"]) for c in chosen)
    lines = together(chosen, tail) if follow else (pair for c in chosen for pair in lines_of(c, tail, follow=False))
    try:
        for of, line in lines:
            print(f"{of:<{width}} | {line}" if len(chosen) > 1 else line, flush=follow)
    except BrokenPipeError:
        # The reader has gone (`| head`); Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def lines_of(container: Container, tail: int, *, follow: bool) -> Iterator[tuple[str, str]]:
    """Each line of a container's log behind its service. Ends quietly when the container goes away."""
    service = container.labels["clinical.service"]
    try:
        for chunk in container.logs(stream=True, follow=follow, tail=tail):
            for line in chunk.decode(errors="replace").splitlines():
                yield service, line
    except DockerException as error:
        yield service, f"(the log ends: {str(error).splitlines()[0]})"


def together(containers: Iterable[Container], tail: int) -> Iterator[tuple[str, str]]:
    """The lines of many logs as they come, until all of them end."""
    lines: queue.Queue[tuple[str, str] | None] = queue.Queue(1000)

    def read(container: Container) -> None:
        for line in lines_of(container, tail, follow=True):
            lines.put(line)
        lines.put(None)

    threads = [threading.Thread(target=read, args=(container,), daemon=True) for container in containers]
    for thread in threads:
        thread.start()
    open_logs = len(threads)
    while open_logs:
        line = lines.get()
        if line is None:
            open_logs -= 1
        else:
            yield line
