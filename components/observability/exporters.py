"""Exporters: metrics of what has none itself, the machine, the databases, the cache and the log store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components.contracts import Cache, Database, Network
from components.layer import Scope, child_of
from components.observability.health import answers
from components.service import SECRETS_FOLDER, Limits, Service, ServiceArgs

NODE, POSTGRES, REDIS, SEARCH = 9100, 9187, 9121, 9114
COLLECTORS = ("cpu", "filesystem", "loadavg", "meminfo", "stat", "uname", "vmstat")
VIRTUAL = "tmpfs|proc|sysfs|devpts|devtmpfs|mqueue|cgroup2?|nsfs|squashfs"


@dataclass(frozen=True, kw_only=True)
class ExportersArgs:
    """What is watched: the machine, a database on each PostgreSQL server (by the server's name) as a role that may see the server's
    statistics, the cache, and the log store's URL."""

    scope: Scope
    network: Network
    databases: Mapping[str, Database]
    cache: Cache
    search: str


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """One exporter: which image runs what, and where it answers."""

    image: str
    command: Sequence[str]
    port: int
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    after: Sequence[pulumi.Resource] = ()


class Exporters(pulumi.ComponentResource):
    """A container for each exporter. Outputs: `names`."""

    names: tuple[str, ...]

    def __init__(self, name: str, args: ExportersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:observability:Exporters", name, None, opts)
        table = {"node-exporter": node(), "redis-exporter": redis(args.cache), "opensearch-exporter": search(args.search),
                 **{f"postgres-exporter-{server.removeprefix('postgres-')}": postgres(database)
                    for server, database in args.databases.items()}}
        for service, exporter in table.items():
            Service(service, ServiceArgs(
                scope=args.scope, network=args.network, image=exporter.image, command=exporter.command,
                environment=exporter.environment, secrets=exporter.secrets, after=exporter.after, answers=exporter.port,
                metrics="/metrics", health=answers(exporter.port, "/"),
                limits=Limits(memory_mb=64, cpus=0.25)), child_of(self))
        self.names = tuple(table)
        self.register_outputs({"names": list(self.names)})


def node() -> Exporter:
    """The machine as a container sees it: processors and memory are the host's, and its own root lies on Docker's disk."""
    return Exporter(image="node-exporter", port=NODE, command=[
        "/bin/node_exporter", "--collector.disable-defaults", *(f"--collector.{name}" for name in COLLECTORS),
        # By default it leaves out the kind of file system that a container's root is.
        f"--collector.filesystem.fs-types-exclude=^({VIRTUAL})$", "--collector.filesystem.mount-points-exclude=^/.+"])


def postgres(database: Database) -> Exporter:
    """A PostgreSQL server, through one database."""
    return Exporter(
        image="postgres-exporter", port=POSTGRES, command=["/bin/postgres_exporter"], secrets={"password": database.password},
        after=database.ready, environment={"DATA_SOURCE_URI": f"{database.host}:{database.port}/{database.name}?sslmode=disable",
                     "DATA_SOURCE_USER": database.user, "DATA_SOURCE_PASS_FILE": f"{SECRETS_FOLDER}/password"})


def redis(cache: Cache) -> Exporter:
    """The cache; passwords are in a file, by the address that they open."""
    address = f"redis://{cache.host}:{cache.port}"
    passwords = pulumi.Output.from_input(cache.password).apply(lambda password: json.dumps({address: password}))
    return Exporter(
        image="redis-exporter", port=REDIS, after=cache.ready, secrets={"passwords.json": passwords},
        command=["/redis_exporter", f"-redis.addr={address}", f"-redis.password-file={SECRETS_FOLDER}/passwords.json"])


def search(url: str) -> Exporter:
    """The log store and its indices."""
    return Exporter(image="elasticsearch-exporter", port=SEARCH,
                    command=["/bin/elasticsearch_exporter", f"--es.uri={url}", "--es.indices"])
