"""What exporters are given: passwords as files, in the form that each reads."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from pulumi import Output

from components.contracts import Cache, Database
from components.observability import exporters
from components.observability.exporters import Exporter

PASSWORD = "canary4exporters0123456789"


@pytest.fixture(autouse=True)
def loop() -> None:
    """Outputs need a loop, of each test's own."""
    asyncio.set_event_loop(asyncio.new_event_loop())


def every() -> dict[str, Exporter]:
    """One of each kind."""
    database = Database(host="postgres-mlflow", port=5432, name="postgres", user="exporter", password=PASSWORD)
    return {"node": exporters.node(), "redis": exporters.redis(Cache(host="redis", port=6379, password=PASSWORD)),
            "postgres": exporters.postgres(database), "search": exporters.search("http://opensearch:9200")}


def text_of(exporter: Exporter) -> dict[str, str]:
    """The secret files as they are written."""
    async def known() -> dict[str, str]:
        return {name: str(await Output.from_input(value).future()) for name, value in exporter.secrets.items()}
    return asyncio.get_event_loop().run_until_complete(known())


@pytest.mark.parametrize("kind", ["node", "redis", "postgres", "search"])
def test_no_password_stands_in_a_command_or_a_variable(kind: str) -> None:
    exporter = every()[kind]
    assert PASSWORD not in str([exporter.command, exporter.environment])
    assert not [name for name in exporter.environment if re.search("(KEY|PASSWORD|TOKEN|CREDENTIALS)$", name)]


def test_redis_passwords_are_found_by_the_address_that_is_asked() -> None:
    """Else the exporter tries without one and says only that Redis is down."""
    exporter = every()["redis"]
    address = next(word.removeprefix("-redis.addr=") for word in exporter.command if word.startswith("-redis.addr="))
    assert json.loads(text_of(exporter)["passwords.json"]) == {address: PASSWORD}
    assert "-redis.password-file=/run/secrets/passwords.json" in exporter.command


def test_postgres_reads_the_file_that_it_is_given() -> None:
    exporter = every()["postgres"]
    folder, _, name = str(exporter.environment["DATA_SOURCE_PASS_FILE"]).rpartition("/")
    assert folder == "/run/secrets" and text_of(exporter) == {name: PASSWORD}
    assert exporter.environment["DATA_SOURCE_URI"] == "postgres-mlflow:5432/postgres?sslmode=disable"


def test_the_disk_is_seen_through_the_containers_own_root_alone() -> None:
    """Of the root that lies on Docker's disk, and of no file that Docker mounts beside it."""
    words = exporters.node().command
    excluded = {word.partition("=")[0]: word.partition("=")[2] for word in words}
    assert not re.search(excluded["--collector.filesystem.fs-types-exclude"], "overlay")
    assert re.search(excluded["--collector.filesystem.fs-types-exclude"], "tmpfs")
    points = excluded["--collector.filesystem.mount-points-exclude"]
    assert re.search(points, "/etc/hosts") and not re.search(points, "/")
