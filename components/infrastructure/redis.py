"""The online feature store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.contracts import Cache, Network
from components.files import render
from components.layer import Scope, child_of
from components.service import CONFIG_FOLDER, Health, Limits, Port, Service, ServiceArgs

PING = 'REDISCLI_AUTH="$(cat /run/secrets/password)" redis-cli -h 127.0.0.1 ping | grep -q PONG'


@dataclass(frozen=True, kw_only=True)
class RedisArgs:
    """What Redis is given. `max_memory_mb` bounds its data; the container has half as much again, for forks."""

    scope: Scope
    network: Network
    password: pulumi.Output[str]
    max_memory_mb: int
    port: int


class Redis(pulumi.ComponentResource):
    """One Redis with a password, an append-only file and a memory bound.

    Outputs: `cache` (Cache).
    """

    cache: Cache

    def __init__(self, name: str, args: RedisArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:infrastructure:Redis", name, None, opts)
        configuration = render(Path(__file__).parent, "redis.conf", max_memory_mb=args.max_memory_mb)
        service = Service(name, ServiceArgs(
            scope=args.scope, network=args.network, image="redis",
            command=["redis-server", f"{CONFIG_FOLDER}/redis.conf"],
            files={f"{CONFIG_FOLDER}/redis.conf": configuration},
            secrets={"password": args.password, "redis-auth.conf": pulumi.Output.concat("requirepass ", args.password, "\n")},
            volumes={"data": "/data"},
            ports=[Port(inside=6379, outside=args.port)],
            health=Health(["sh", "-c", PING]),
            answers=6379, metrics=None, limits=Limits(memory_mb=args.max_memory_mb * 3 // 2 + 64),
            stop_grace_seconds=20), child_of(self))
        self.cache = Cache(host=service.host, port=6379, password=args.password, ready=service.ready)
        self.register_outputs({"host": self.cache.host})
