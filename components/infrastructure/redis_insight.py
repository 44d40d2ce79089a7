"""A page that shows Redis: RedisInsight, or redis-commander where RedisInsight's image cannot be had."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.contracts import Cache, HttpService, Network
from components.files import render
from components.layer import Scope, child_of
from components.service import CONFIG_FOLDER, Health, Limits, Port, Service, ServiceArgs


@dataclass(frozen=True, kw_only=True)
class RedisInsightArgs:
    """What the page is given: the cache it shows, the password of its user `admin`, and which of the two images."""

    scope: Scope
    network: Network
    cache: Cache
    password: pulumi.Output[str]
    port: int
    image: str


class RedisInsight(pulumi.ComponentResource):
    """A browser of the cache. Outputs: `page` (HttpService)."""

    page: HttpService

    def __init__(self, name: str, args: RedisInsightArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:infrastructure:RedisInsight", name, None, opts)
        run = insight(args) if args.image == "redis-insight" else commander(args)
        service = Service(name, run, child_of(self))
        self.page = HttpService(name=name, host=service.host, port=run.ports[0].inside, page=True, ready=service.ready,
                                url=f"http://{args.scope.platform.bind_address}:{args.port}")
        self.register_outputs({"url": self.page.url})


def insight(args: RedisInsightArgs) -> ServiceArgs:
    """RedisInsight, with the connection set up beforehand and its own data encrypted by the page's password."""
    return ServiceArgs(
        scope=args.scope, network=args.network, image="redis-insight",
        # The entrypoint reads no secret from a file, so a shell does before it becomes the server.
        command=["sh", f"{CONFIG_FOLDER}/start"],
        environment={"RI_APP_PORT": "5540", "RI_APP_HOST": "0.0.0.0", "RI_REDIS_HOST": args.cache.host,
                     "RI_REDIS_PORT": str(args.cache.port), "RI_REDIS_ALIAS": "features"},
        files={f"{CONFIG_FOLDER}/start": render(Path(__file__).parent, "redis-insight-start.sh")},
        secrets={"redis-password": args.cache.password, "encryption-key": args.password},
        volumes={"data": "/data"},
        ports=[Port(inside=5540, outside=args.port)],
        health=Health(["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:5540/api/health/"]),
        answers=5540, metrics=None, limits=Limits(memory_mb=512), after=args.cache.ready)


def commander(args: RedisInsightArgs) -> ServiceArgs:
    """redis-commander, with its login and the connection in a file that only it can read."""
    settings = pulumi.Output.all(redis=args.cache.password, page=args.password).apply(lambda secret: json.dumps({
        "noSave": True, "noLogData": True,
        "server": {"address": "0.0.0.0", "port": 8081,
                   "httpAuth": {"username": "admin", "password": secret["page"]}},
        "connections": [{"label": "features", "host": args.cache.host, "port": args.cache.port, "dbIndex": 0,
                         "password": secret["redis"]}]}))
    return ServiceArgs(
        scope=args.scope, network=args.network, image="redis-commander",
        command=["redis-commander"],
        secrets={"local.json": settings},
        ports=[Port(inside=8081, outside=args.port)],
        health=Health.http(8081, "/healthcheck"),
        answers=8081, metrics=None, limits=Limits(memory_mb=256, cpus=0.5), after=args.cache.ready,
        stop_grace_seconds=2)  # it ignores SIGTERM and holds nothing
