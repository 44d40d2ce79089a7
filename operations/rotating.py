"""New passwords: in the configuration, in the stores that keep them, and in every container that uses them.

A secret's value stands in the configuration alone; stores and containers follow it with an update. Roles of databases, users of the
lake and of the queue, and every file below /run/secrets are declared with it, so the update changes the store first and then
replaces the containers that depend on it. Two kinds do not follow by themselves, and stand here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping

from docker import DockerClient
from docker.models.containers import Container
from rich.console import Console

from components.infrastructure.postgres import ADMIN
from components.infrastructure.tables import DATABASES
from components.settings import NAMESPACE, State, layer_kinds
from operations.environment import environment
from operations.faults import OperationError
from operations.lake.databases import run_inside
from operations.services import connect, found, wait_until_up
from operations.setup.checks import SetupError
from operations.setup.stack import SECRET_BYTES, pulumi
from operations.stack import PROJECT_FOLDER, apply, declared, open_stack, settings_of, wanted

BY_HAND = {
    "airflow-fernet": "Airflow's database is encrypted with it, so all of it would have to be encrypted anew",
    "grafana": "Grafana reads it at its first start alone, and keeps it in its own database from then on",
}
"""Secrets that a new value in the configuration would break, or not change."""
ADMINISTRATORS: Mapping[str, str] = {f"{server}-admin": server for server in sorted({spec.server for spec in DATABASES})}
"""Passwords that a server reads when its volume is new and never again: it has to be told. By secret, the server."""
OUTSIDE = {"gateway-key-site": "whoever sends events to clinical-data-gateway", "serving-key-clinic": "whoever asks model-serving",
           "airflow-admin": "the people who use Airflow's pages", "redis-insight": "the people who use that page",
           "kafka-ui": "the people who use that page", "minio-root": "the people who use MinIO's console"}
"""Secrets that somebody outside of the platform has, too."""


def chosen(names: Iterable[str], every: bool) -> list[str]:
    """The secrets to change. Raises OperationError for one that there is not, that needs a hand, or for none at all."""
    known = [secret for kind in layer_kinds().values() for secret in kind.secrets]
    named = list(dict.fromkeys(names))
    for name in named:
        if name not in known:
            raise OperationError(f"there is no secret {name}; there are {', '.join(known)}")
        if name in BY_HAND:
            raise OperationError(f"{name} is not changed this way: {BY_HAND[name]}; docs/operations.md says what to do")
    if not named and not every:
        raise OperationError("name secrets, or say `--every` for all that can be changed this way")
    return named or [name for name in known if name not in BY_HAND]


def rotate(name: str, names: list[str], console: Console) -> None:
    """Gives each of these secrets a new value, and brings the stack there. Events wait meanwhile; none is lost.

    When it is interrupted, the same command again makes everything fit: what the configuration says is what counts. Raises
    OperationError.
    """
    client, stack = connect(), open_stack(name)
    settings_of(stack)  # a stack with a fault is not touched
    if wanted(stack)["infrastructure"] is not State.RUNNING:
        raise OperationError(f"the stores of {name} do not run and could not be told; `./pipeline infrastructure start --stack "
                             f"{name}` starts them, then this command again")
    servers = servers_of(client, name, names)
    renew(name, names, servers, tell)
    apply(stack, console)
    running = [layer for layer, state in wanted(stack).items() if state is State.RUNNING]
    wait_until_up(client, name, declared(stack).services, running, console)
    for secret in names:
        if secret in OUTSIDE:
            console.print(f"{secret} is new for {OUTSIDE[secret]}, too: `./pipeline pulumi config get --path "
                          f"'{NAMESPACE}:secrets.{secret}' --stack {name}` shows it", highlight=False)


def servers_of(client: DockerClient, name: str, names: Iterable[str]) -> dict[str, Container]:
    """The running server of each administrator's password among these, by secret. Raises OperationError where one is missing."""
    running = {c.labels["clinical.service"]: c for c in found(client, name) if c.status == "running"}
    wanted_servers = {secret: ADMINISTRATORS[secret] for secret in names if secret in ADMINISTRATORS}
    if missing := sorted(set(wanted_servers.values()) - set(running)):
        raise OperationError(f"{', '.join(missing)} does not run and could not be told; `./pipeline infrastructure start --stack "
                             f"{name}` starts it, then this command again")
    return {secret: running[server] for secret, server in wanted_servers.items()}


def renew(name: str, names: Iterable[str], servers: Mapping[str, Container], tell_server: Callable[[Container, str], None]) -> None:
    """Writes a new value of each secret into the configuration, and tells an administrator's at once to its server.

    The administrators come last, each with its server: an update that begins in between finds nothing that does not fit.
    """
    for secret in sorted(names, key=lambda secret: secret in servers):
        value = secrets.token_hex(SECRET_BYTES)
        write(name, secret, value)
        if secret in servers:
            tell_server(servers[secret], value)


def write(name: str, secret: str, value: str) -> None:
    """Writes a value, encrypted; through standard input, since arguments can be seen in the list of processes."""
    try:
        pulumi(["config", "set", "--path", "--stack", name, "--secret", f"{NAMESPACE}:secrets.{secret}"], PROJECT_FOLDER,
               environment(PROJECT_FOLDER), value)
    except SetupError as error:
        raise OperationError(str(error)) from None


def tell(server: Container, password: str) -> None:
    """Changes the administrator's password in a PostgreSQL server, over its own socket. Raises OperationError."""
    command = ["psql", "-U", ADMIN, "-d", "postgres", "-qX", "-v", "ON_ERROR_STOP=1"]
    run_inside(server, command, [f"ALTER ROLE {ADMIN} PASSWORD '{password}';\n".encode()], lambda _: None)
