"""PostgreSQL's databases, dumped and loaded by the server's own tools inside its container."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import DockerException
from docker.models.containers import Container
from docker.utils.socket import frames_iter

from components.infrastructure.postgres import ADMIN
from components.infrastructure.tables import KEPT_DATABASES
from operations.faults import OperationError
from operations.services import found

CHUNK = 256 * 1024
STANDARD_OUTPUT = 1
COUNT = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace " \
        "WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"


def database_containers(client: docker.DockerClient, stack: str) -> dict[str, Container]:
    """The container of the server of each database that backups hold. Raises OperationError where one does not run."""
    running = {c.labels["clinical.service"]: c for c in found(client, stack) if c.status == "running"}
    missing = sorted({spec.server for spec in KEPT_DATABASES} - set(running))
    if missing:
        raise OperationError(f"{', '.join(missing)} does not run, so its database cannot be read; "
                             f"`./pipeline infrastructure start --stack {stack}` starts it")
    return {spec.name: running[spec.server] for spec in KEPT_DATABASES}


def dump(container: Container, database: str, path: Path) -> None:
    """Writes a dump in PostgreSQL's own format. Raises OperationError."""
    with path.open("wb") as file:
        run_inside(container, ["pg_dump", "-U", ADMIN, "--format=custom", database], (), file.write)


def load(container: Container, database: str, path: Path) -> None:
    """Replaces what the database holds by a dump, all of it or nothing. Raises OperationError."""
    def chunks() -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    run_inside(container, ["pg_restore", "-U", ADMIN, "--dbname", database, "--clean", "--if-exists", "--single-transaction",
                     "--exit-on-error"], chunks(), lambda _: None)


def is_empty(container: Container, database: str) -> bool:
    """Whether the database holds no table."""
    answer: list[bytes] = []
    run_inside(container, ["psql", "-U", ADMIN, "-d", database, "-tAc", COUNT], (), answer.append)
    return b"".join(answer).strip() == b"0"


def run_inside(container: Container, command: list[str], given: Iterable[bytes], take: Callable[[bytes], object]) -> None:
    """Runs a command in a container, gives it its input and takes its output. Raises OperationError with its last words."""
    try:
        status, words = _exec(container, command, given, take)
    except (DockerException, requests.RequestException) as error:
        raise OperationError(f"{command[0]} in {container.name} could not be run: {str(error).splitlines()[0]}") from None
    if status != 0:
        raise OperationError(f"{command[0]} in {container.name} ended with status {status}: {words.strip()}")


def _exec(container: Container, command: list[str], given: Iterable[bytes], take: Callable[[bytes], object]) -> tuple[int, str]:
    api = container.client.api if container.client else docker.from_env().api
    started = api.exec_create(container.id, command, stdin=True)["Id"]
    connection = api.exec_start(started, socket=True)
    raw: Any = connection
    raw = getattr(raw, "_sock", raw)  # the socket below a plain connection's file
    words = b""
    try:
        try:
            for chunk in given:
                raw.sendall(chunk)
            raw.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it ended early; its own words say why
        for stream, chunk in frames_iter(connection, tty=False):  # type: ignore[no-untyped-call]
            if stream == STANDARD_OUTPUT:
                take(chunk)
            else:
                words = (words + chunk)[-2000:]
    finally:
        connection.close()
    return api.exec_inspect(started)["ExitCode"], words.decode(errors="replace")
