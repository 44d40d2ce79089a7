"""A kill during PostgreSQL's first start leaves nothing half-made; a whole cluster is never made again."""

from collections.abc import Callable, Mapping
from functools import partial

import pytest
from docker.models.containers import Container

from tests.images.boxes import Boxes, run, state_of, until

DATA = "/var/lib/postgresql/data"
PASSWORD = "pa ss'$word"
ENVIRONMENT = {
    "POSTGRES_USER": "boss",
    "POSTGRES_DB": "app",
    "POSTGRES_PASSWORD_FILE": "/run/secrets/password",
}
BEFORE_SERVER = ("mkdir", "sync", "find", "chmod", "initdb", "pg_ctl", "createdb", "touch", "rm")
# Stands for each of these commands, counts them, and hangs instead of the one whose turn it is.
PROBE = """#!/bin/bash
number=$(( $(/usr/bin/cat /tmp/count 2>/dev/null || echo 0) + 1 ))
echo $number > /tmp/count
if [ "$number" = "$HANG_AT" ]; then /usr/bin/touch /tmp/hanging; exec /usr/bin/sleep infinity; fi
export PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin
exec "${0##*/}" "$@"
"""


class Server:
    """A PostgreSQL on one data volume, started any number of times."""

    def __init__(self, boxes: Boxes, image: str, data: str) -> None:
        self.boxes, self.image, self.data, self.secrets = boxes, image, data, boxes.volume()

    def start(self, environment: Mapping[str, str] | None = None, hang_at: int = 0) -> Container:
        """A new container on the volume; `hang_at` counts the commands of its entrypoint."""
        probes = {f"/probe/{name}": PROBE for name in BEFORE_SERVER} if hang_at else {}
        path = "/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin"
        return self.boxes.start(
            self.image,
            ["docker-entrypoint.sh", "postgres", "-c", "max_connections=20", "-c", "shared_buffers=32MB"],
            user="999:999",
            memory="256m",
            tmpfs=("/tmp", "/var/run/postgresql"),
            volumes={
                self.data: DATA,
                self.secrets: "/run/secrets",
                **({self.boxes.volume(): "/probe"} if hang_at else {}),
            },
            environment={
                **(ENVIRONMENT if environment is None else environment),
                "HANG_AT": str(hang_at),
                "PATH": f"/probe:{path}" if hang_at else path,
            },
            files={"/run/secrets/password": PASSWORD, **probes},
        )

    def ready(self) -> Container:
        """A started server that answers over TCP with its password."""
        container = self.start()
        until(lambda: healthy(container), "PostgreSQL answers over TCP", container)
        assert query(container, "select current_user") == "boss"
        return container


def healthy(container: Container) -> bool:
    """What the platform's health check asks."""
    return run(container, "pg_isready", "-h", "127.0.0.1", "-q", "-U", "boss")[0] == 0


def hanging_or_healthy(container: Container) -> bool:
    """Whether the entrypoint has come to the command that hangs, or has no such command."""
    return run(container, "test", "-e", "/tmp/hanging")[0] == 0 or healthy(container)


def query(container: Container, sql: str, password: str = PASSWORD) -> str:
    """One value, over TCP and with a password."""
    status, output = run(
        container,
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "boss",
        "-d",
        "app",
        "-Atc",
        sql,
        environment={"PGPASSWORD": password},
    )
    assert status == 0, output
    return output.strip()


@pytest.fixture
def server(boxes: Boxes, image: Callable[[str], str]) -> Server:
    return Server(boxes, image("postgres"), boxes.volume())


def test_a_kill_before_any_command_of_the_first_start_is_made_good(
    boxes: Boxes, image: Callable[[str], str]
) -> None:
    killed = 0
    while True:
        server = Server(boxes, image("postgres"), boxes.volume())
        container = server.start(hang_at=killed + 1)
        until(partial(hanging_or_healthy, container), "a step", container)
        if healthy(container):
            break
        assert run(container, "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5432")[0] != 0, (
            "TCP before the cluster is whole"
        )
        container.kill("SIGKILL")
        container.remove(force=True)
        server.ready()
        boxes.clean()
        killed += 1
    assert killed >= 10, "the entrypoint's commands were not all stopped at"


@pytest.mark.parametrize(
    "appears", [".new/PG_VERSION", ".new/base/1", ".new/global/pg_control", ".new/base/5"]
)
def test_a_kill_in_the_middle_of_initdb_is_made_good(server: Server, appears: str) -> None:
    container = server.start()
    until(lambda: run(container, "test", "-e", f"{DATA}/{appears}")[0] == 0, appears, container)
    container.kill("SIGKILL")
    assert "/.complete" not in left_in(server)
    server.ready()


def test_a_kill_while_the_files_move_up_is_made_good(server: Server) -> None:
    first = server.ready()
    first.stop()
    in_volume(
        server, f"mkdir {DATA}/.new && rm {DATA}/.complete && mv {DATA}/global {DATA}/base {DATA}/.new/"
    )
    server.ready()


def test_a_whole_cluster_is_never_made_again(server: Server) -> None:
    first = server.ready()
    query(first, "create table marker as select 42 as answer")
    first.kill("SIGKILL")
    in_volume(
        server, f"mkdir {DATA}/.new && touch {DATA}/.new/PG_VERSION"
    )  # killed just before .new was removed
    second = server.ready()
    assert query(second, "select answer from marker") == "42"
    assert ".new" not in left_in(server)
    second.kill("SIGKILL")
    assert query(server.ready(), "select answer from marker") == "42"


def test_a_cluster_of_the_official_image_is_used_as_it_is(server: Server) -> None:
    first = server.ready()
    query(first, "create table marker as select 42 as answer")
    first.stop()
    in_volume(server, f"rm {DATA}/.complete")
    assert query(server.ready(), "select answer from marker") == "42"


def test_files_that_are_no_cluster_are_left_alone(server: Server) -> None:
    in_volume(server, f"echo precious > {DATA}/notes")
    assert "holds files that are no cluster; empty it or mount another volume" in refused(server)
    assert "/notes" in left_in(server)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "a new cluster needs a password: set POSTGRES_PASSWORD_FILE"),
        ({"POSTGRES_PASSWORD": ""}, "a new cluster needs a password"),
        ({"POSTGRES_PASSWORD_FILE": "/run/secrets/nope"}, "user 999 cannot read /run/secrets/nope"),
        (
            {"POSTGRES_PASSWORD": "x", "POSTGRES_PASSWORD_FILE": "/run/secrets/password"},
            "both set; keep one of them",
        ),
    ],
)
def test_a_server_without_a_password_says_what_is_missing(
    server: Server, environment: dict[str, str], message: str
) -> None:
    assert message in refused(server, environment)
    server.ready()


def test_a_wrong_password_is_refused_from_anywhere(server: Server) -> None:
    container = server.ready()
    status, output = run(
        container,
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "boss",
        "-d",
        "app",
        "-c",
        "select 1",
        environment={"PGPASSWORD": "wrong"},
    )
    assert status != 0
    assert "password authentication failed" in output
    assert (
        query(
            container, "select count(*) from pg_hba_file_rules where type = 'host' and auth_method = 'trust'"
        )
        == "0"
    )


def test_the_official_defaults_of_user_and_database(server: Server) -> None:
    container = server.start({"POSTGRES_PASSWORD_FILE": "/run/secrets/password"})
    until(lambda: healthy(container), "PostgreSQL answers over TCP", container)
    status, output = run(
        container,
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "postgres",
        "-Atc",
        "select current_database()",
        environment={"PGPASSWORD": PASSWORD},
    )
    assert (status, output.strip()) == (0, "postgres")


def refused(server: Server, environment: Mapping[str, str] | None = None) -> str:
    """What a server says that does not start."""
    container = server.start(environment)
    until(lambda: state_of(container) == "exited", "the server gives up")
    assert container.wait()["StatusCode"] == 1
    return container.logs().decode()


def in_volume(server: Server, script: str) -> str:
    """Runs a script on the data volume as the server's user."""
    container = server.boxes.start(
        server.image, ["bash", "-c", script], user="999:999", memory="64m", volumes={server.data: DATA}
    )
    assert container.wait()["StatusCode"] == 0, container.logs().decode()
    return container.logs().decode()


def left_in(server: Server) -> str:
    """The names at the top of the data volume."""
    return in_volume(server, f"find {DATA} -maxdepth 1")
