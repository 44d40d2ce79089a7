"""A PostgreSQL server, and what is declared in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pulumi
import pulumi_postgresql as postgresql

from components.contracts import Database, Network
from components.infrastructure.tables import DatabaseSpec
from components.layer import Scope, child_of
from components.service import SECRETS_FOLDER, Health, Limits, Port, Service, ServiceArgs

ADMIN, EXPORTER = "postgres", "exporter"


@dataclass(frozen=True, kw_only=True)
class PostgresArgs:
    """What a server is given: its administrator's password, that of the role which measures it, and for each database its
    owner's."""

    scope: Scope
    network: Network
    admin_password: pulumi.Output[str]
    exporter_password: pulumi.Output[str]
    databases: Mapping[DatabaseSpec, pulumi.Output[str]]
    port: int


class Postgres(pulumi.ComponentResource):
    """One PostgreSQL server; each database has a role of its own that owns it and that nobody else may enter.

    Outputs: `databases` (Database by name), `measured` (Database: the server, as a role that may read its statistics and no data).
    """

    databases: dict[str, Database]
    measured: Database

    def __init__(self, name: str, args: PostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:infrastructure:Postgres", name, None, opts)
        scope = args.scope
        connections = sum(spec.connections for spec in args.databases) + 20  # the rest: administrator, exporter, backup
        service = Service(name, ServiceArgs(
            scope=scope, network=args.network, image="postgres",
            command=["docker-entrypoint.sh", "postgres", "-c", f"max_connections={connections}", "-c",
                     "shared_buffers=64MB", "-c", "log_connections=off", "-c", "timezone=UTC"],
            environment={"POSTGRES_USER": ADMIN, "POSTGRES_DB": "postgres",
                         "POSTGRES_PASSWORD_FILE": f"{SECRETS_FOLDER}/admin-password"},
            secrets={"admin-password": args.admin_password},
            volumes={"data": "/var/lib/postgresql/data"},
            writable=("/tmp", "/var/run/postgresql"),
            ports=[Port(inside=5432, outside=args.port)],
            # Over TCP: while a new cluster is being made the server listens on its socket alone.
            health=Health(["pg_isready", "-h", "127.0.0.1", "-q", "-U", ADMIN]),
            answers=5432, metrics=None, limits=Limits(memory_mb=512),
            # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for clients to leave.
            stop_signal="SIGINT", stop_grace_seconds=30), child_of(self))
        self.databases = {spec.name: Database(host=service.host, port=5432, name=spec.name, user=spec.name, password=password)
                          for spec, password in args.databases.items()}
        self.measured = Database(host=service.host, port=5432, name="postgres", user=EXPORTER, password=args.exporter_password)
        if scope.keeps_data:
            provider = postgresql.Provider(
                f"{name}-provider", host=str(scope.platform.bind_address), port=args.port, username=ADMIN,
                password=args.admin_password, sslmode="disable", superuser=True, connect_timeout=15,
                opts=child_of(self, depends_on=list(service.ready)))
            options = child_of(self, provider=provider, depends_on=list(service.ready), deleted_with=service.data)
            closed = [close(f"{name}-{database}", database, options) for database in ("postgres", "template1")]
            exporter = measuring(name, args.exporter_password, options)
            self.measured = replace(self.measured, ready=[*service.ready, *exporter])
            for spec, password in args.databases.items():
                made = [*closed, *declare(spec, password, options)]
                self.databases[spec.name] = Database(host=service.host, port=5432, name=spec.name, user=spec.name,
                                                     password=password, ready=[*service.ready, *made])
        self.register_outputs({"databases": list(self.databases)})


def declare(spec: DatabaseSpec, password: pulumi.Output[str], options: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """A role, the database that it owns, and nobody else in it."""
    role = postgresql.Role(f"{spec.name}-role", name=spec.name, login=True, password=password, superuser=False,
                           create_database=False, create_role=False, connection_limit=spec.connections, opts=options)
    database = postgresql.Database(f"{spec.name}-database", name=spec.name, owner=role.name, encoding="UTF8", opts=options)
    return [role, database, close(spec.name, database.name, options)]


def measuring(server: str, password: pulumi.Output[str], options: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """The role that reads the server's statistics."""
    role = postgresql.Role(f"{server}-exporter-role", name=EXPORTER, login=True, password=password, superuser=False,
                           create_database=False, create_role=False, connection_limit=5, roles=["pg_monitor"], opts=options)
    return [role, postgresql.Grant(f"{server}-exporter-connects", database="postgres", role=role.name, object_type="database",
                                   privileges=["CONNECT"], opts=options)]


def close(name: str, database: pulumi.Input[str], options: pulumi.ResourceOptions) -> postgresql.Grant:
    """Takes from PUBLIC what PostgreSQL gives every role in every database: to connect, and to make temporary tables."""
    return postgresql.Grant(f"{name}-closed", database=database, role="public", object_type="database", privileges=[],
                            opts=options)
