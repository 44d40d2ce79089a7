"""The infrastructure layer."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.contracts import Broker, Cache, Database, Lake, Network
from components.infrastructure.kafka import Kafka, KafkaArgs
from components.infrastructure.kafka_ui import KafkaUi, KafkaUiArgs
from components.infrastructure.lake import LakeStorage, LakeStorageArgs
from components.infrastructure.minio import Minio, MinioArgs
from components.infrastructure.postgres import Postgres, PostgresArgs
from components.infrastructure.redis import Redis, RedisArgs
from components.infrastructure.redis_insight import RedisInsight, RedisInsightArgs
from components.infrastructure.settings import InfrastructureSettings
from components.infrastructure.tables import DATABASES, LAKE_USERS
from components.infrastructure.zookeeper import Zookeeper, ZookeeperArgs
from components.layer import Layer, child_of


class Infrastructure(Layer):
    """Network, object store with the lake, two databases, cache, broker with its topics, and two pages to look inside.

    Outputs: `network`, `lake`, `databases` (by name), `servers` (PostgreSQL, by name, as a role that may measure them), `cache`,
    `broker`.
    """

    network: Network
    lake: Lake
    databases: dict[str, Database]
    servers: dict[str, Database]
    cache: Cache
    broker: Broker

    def __init__(self, name: str, settings: InfrastructureSettings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Infrastructure", name, settings, opts)
        scope, here = self.scope, child_of(self)
        self.network = self._network()

        minio = Minio("minio", MinioArgs(
            scope=scope, network=self.network, root_password=settings.secret("minio-root"), port=settings.port("minio"),
            console_port=settings.port("minio-console")), here)
        self.lake = LakeStorage("lake", LakeStorageArgs(
            scope=scope, store=minio.store, secrets={user: settings.secret(f"lake-{user}") for user in LAKE_USERS}), here).lake

        self.databases, self.servers = {}, {}
        for server in dict.fromkeys(spec.server for spec in DATABASES):
            postgres = Postgres(server, PostgresArgs(
                scope=scope, network=self.network, admin_password=settings.secret(f"{server}-admin"),
                exporter_password=settings.secret("postgres-exporter"), port=settings.port(server),
                databases={spec: settings.secret(f"{spec.name}-database") for spec in DATABASES if spec.server == server}), here)
            self.databases |= postgres.databases
            self.servers[server] = postgres.measured

        self.cache = Redis("redis", RedisArgs(
            scope=scope, network=self.network, password=settings.secret("redis"), port=settings.port("redis"),
            max_memory_mb=settings.redis_max_memory_mb), here).cache

        keepers = settings.copies()["zookeeper"]
        zookeeper = Zookeeper("zookeeper", ZookeeperArgs(
            scope=scope, network=self.network, ports=[settings.port("zookeeper", i) for i in range(keepers)]),
            here) if keepers else None
        self.broker = Kafka("kafka", KafkaArgs(
            scope=scope, network=self.network, settings=settings, zookeeper=zookeeper,
            ports=[settings.port("kafka", i) for i in range(settings.kafka_brokers)]), here).broker

        pages = [minio.console]
        if chosen := scope.catalog.choose("redis-insight"):
            pages.append(RedisInsight("redis-insight", RedisInsightArgs(
                scope=scope, network=self.network, cache=self.cache, password=settings.secret("redis-insight"),
                port=settings.port("redis-insight"), image=chosen), here).page)
        if scope.catalog.choose("kafka-ui"):
            pages.append(KafkaUi("kafka-ui", KafkaUiArgs(
                scope=scope, network=self.network, broker=self.broker, password=settings.secret("kafka-ui"),
                port=settings.port("kafka-ui")), here).page)
        self.finish({"broker": self.broker.external, "lake": self.lake.store.external}, pages=tuple(pages))

    def _network(self) -> Network:
        name = self.scope.name("network")
        if self.scope.keeps_data:
            labels = [docker.NetworkLabelArgs(label=k, value=v) for k, v in self.scope.labels().items()]
            made = docker.Network("network", name=name, driver="bridge", labels=labels, opts=child_of(self))
            return Network(name=made.name)
        return Network(name=name)
