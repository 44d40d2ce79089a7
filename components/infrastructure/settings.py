"""Settings of the infrastructure layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field

from components.infrastructure.tables import DATABASES, LAKE_USERS
from components.settings import LayerSettings


class InfrastructureSettings(LayerSettings):
    """How the core services are sized. Retention and replication apply to every topic."""

    layer: ClassVar[str] = "infrastructure"
    default_ports: ClassVar[Mapping[str, int]] = {
        "minio": 9000, "minio-console": 9001, "postgres-mlflow": 5432, "postgres-airflow": 5433, "redis": 6379,
        "redis-insight": 5540, "zookeeper": 2181, "kafka": 9092, "kafka-ui": 8090}
    images: ClassVar[tuple[str, ...]] = ("minio", "postgres", "redis", "redis-insight", "kafka", "kafka-ui")
    secrets: ClassVar[tuple[str, ...]] = (
        "minio-root", "redis", "redis-insight", "kafka-ui", "postgres-exporter",
        *(f"{server}-admin" for server in dict.fromkeys(database.server for database in DATABASES)),
        *(f"{database.name}-database" for database in DATABASES),
        *(f"lake-{user}" for user in LAKE_USERS))

    kafka_mode: Literal["zookeeper", "kraft"] = "zookeeper"
    """Who keeps the cluster's metadata: ZooKeeper, or the brokers themselves."""
    kafka_brokers: int = Field(1, ge=1, le=9)
    kafka_replication: int = Field(1, ge=1)
    """Copies of each partition."""
    kafka_min_insync_replicas: int = Field(1, ge=1)
    """Copies that must have a record before it counts as written."""
    kafka_partitions: Literal["small", "large"] = "small"
    """Which of the two partition counts of each topic applies."""
    kafka_retention_factor: int = Field(1, ge=1, le=20)
    """How many times the contract's retention is kept."""
    kafka_heap_mb: int = Field(384, ge=256)
    zookeeper_nodes: int = Field(1, ge=1, le=7)
    redis_max_memory_mb: int = Field(192, ge=32)
    """Beyond it Redis refuses to write; its container has half as much again."""

    def copies(self) -> dict[str, int]:
        """Services of which there are several, and how many."""
        keepers = self.zookeeper_nodes if self.kafka_mode == "zookeeper" else 0
        return {"zookeeper": keepers, "kafka": self.kafka_brokers}

    def published(self) -> dict[str, int]:
        """Every published port, each copy's own."""
        single = {name: self.port(name) for name in self.default_ports if name not in self.copies()}
        several = {copy_name(name, i): self.port(name, i) for name, n in self.copies().items() for i in range(n)}
        return {**single, **several}

    def faults(self) -> Iterator[str]:
        """Replication that the brokers cannot give, and a quorum that cannot vote."""
        if self.kafka_replication > self.kafka_brokers:
            yield (f"kafkaReplication: {self.kafka_replication} copies need as many brokers, "
                   f"kafkaBrokers is {self.kafka_brokers}")
        if self.kafka_min_insync_replicas > self.kafka_replication:
            yield (f"kafkaMinInsyncReplicas: {self.kafka_min_insync_replicas} is more than kafkaReplication "
                   f"{self.kafka_replication}: no record could ever be written")
        if self.zookeeper_nodes % 2 == 0:
            yield f"zookeeperNodes: {self.zookeeper_nodes} is even and adds no safety; take an odd number"


def copy_name(service: str, index: int) -> str:
    """`kafka`, `kafka-2`, `kafka-3` …: the first keeps its name, and with it its data, when copies are added."""
    return service if index == 0 else f"{service}-{index + 1}"
