"""Real servers for the plugins, and stacks of one resource against them."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import psycopg
import pulumi
import pulumi_minio
import pulumi_postgresql
from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider
from pulumi import automation as auto

import toolchain
from operations.images import ensure_built

PASSWORD = "canarypassword0123456789"
PATIENCE = 60
USER = {"minio": "root-user", "postgres": "postgres"}


Declaration = tuple[str, Callable[..., Any], Mapping[str, Any], str | None]


@dataclass
class Server:
    """One server in a container: its kind and the port it is published on."""

    kind: str
    port: int

    @property
    def s3(self) -> Minio:
        """A client of its S3 interface, independent of the plugin."""
        return Minio(f"127.0.0.1:{self.port}", USER["minio"], PASSWORD, secure=False)

    @property
    def admin(self) -> MinioAdmin:
        """A client of its administration."""
        return MinioAdmin(endpoint=f"127.0.0.1:{self.port}", credentials=StaticProvider(USER["minio"], PASSWORD), secure=False)

    def sql(self, query: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with psycopg.connect(host="127.0.0.1", port=self.port, user=USER["postgres"], password=PASSWORD, dbname=database,
                             autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def provider(self, password: str = PASSWORD, port: int | None = None) -> pulumi.ProviderResource:
        """The plugin's provider for this server."""
        port = port or self.port
        if self.kind == "minio":
            return pulumi_minio.Provider("server", minio_server=f"127.0.0.1:{port}", minio_user=USER["minio"],
                                         minio_password=pulumi.Output.secret(password), minio_ssl=False)
        return pulumi_postgresql.Provider("server", host="127.0.0.1", port=port, username=USER["postgres"],
                                          password=pulumi.Output.secret(password),
                                          sslmode="disable", connect_timeout=5)


@contextmanager
def running(kind: str) -> Iterator[Server]:
    """A server from our own image; the container goes, with its volume, whatever happens."""
    client = docker.from_env(timeout=180)
    image = ensure_built(kind)
    settings = {"minio": {"command": ["minio", "server", "/data"], "environment": {
                    "MINIO_ROOT_USER": USER["minio"], "MINIO_ROOT_PASSWORD": PASSWORD}},
                "postgres": {"command": ["docker-entrypoint.sh", "postgres"], "environment": {"POSTGRES_PASSWORD": PASSWORD}}}
    inside = {"minio": 9000, "postgres": 5432}[kind]
    container = client.containers.run(image, detach=True, name=f"clinical-providers-{kind}-{os.getpid()}",
                                      ports={f"{inside}/tcp": ("127.0.0.1", None)}, **settings[kind])  # type: ignore[call-overload]
    try:
        container.reload()
        server = Server(kind, int(container.ports[f"{inside}/tcp"][0]["HostPort"]))
        wait(server)
        yield server
    finally:
        container.remove(force=True, v=True)
        client.close()


def wait(server: Server) -> None:
    """Waits until the server answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            server.s3.list_buckets() if server.kind == "minio" else server.sql("SELECT 1")
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


class OneResource:
    """A stack that declares a provider and some resources in it."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.server = server
        self.state = folder / "state"
        self.state.mkdir()
        variables = {**toolchain.environment(), "PULUMI_BACKEND_URL": f"file://{self.state}", "PULUMI_CONFIG_PASSPHRASE": "x"}
        os.environ["PATH"] = variables["PATH"]
        backend = auto.ProjectBackend(variables["PULUMI_BACKEND_URL"])
        project = auto.ProjectSettings(name="plugin", runtime="python", backend=backend)
        self.stack = auto.create_stack("one", project_name="plugin", program=lambda: None, opts=auto.LocalWorkspaceOptions(
            env_vars=variables, project_settings=project, work_dir=tempfile.mkdtemp(dir=folder)))

    def declare(self, *resources: Declaration, **provider: Any) -> OneResource:
        """What the next command is to find declared, in a provider with these settings."""
        def program() -> None:
            made = self.server.provider(**provider)
            for name, kind, inputs, import_id in resources:
                kind(name, **inputs, opts=pulumi.ResourceOptions(provider=made, import_=import_id))
        self.stack.workspace.program = program
        return self

    def up(self, **options: Any) -> dict[str, str]:
        """What an update did, by resource, without the stack and the provider; the last step of each counts."""
        done: dict[str, str] = {}

        def event(seen: Any) -> None:
            step = seen.res_outputs_event.metadata if seen.res_outputs_event else None
            if step and not step.type.startswith("pulumi:"):
                name = step.urn.rpartition("::")[2]
                done[name] = "replace" if "replace" in (step.op.value + done.get(name, "")) else step.op.value
        self.stack.up(on_event=event, **options)
        return done

    def fails(self) -> str:
        """What an update that fails says."""
        try:
            self.up()
        except auto.CommandError as error:
            return str(error)
        raise AssertionError("the update succeeded")
