"""The broker, and the topics of the data contract."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_kafka as kafka

from components.contracts import Broker, Network, Topic
from components.files import render
from components.infrastructure.settings import InfrastructureSettings, copy_name
from components.infrastructure.tables import DAY_MS, TOPICS, TopicSpec
from components.infrastructure.zookeeper import Zookeeper
from components.layer import Scope, child_of
from components.service import CONFIG_FOLDER, Health, Limits, Port, Service, ServiceArgs

DATA = "/var/lib/kafka/data"


@dataclass(frozen=True, kw_only=True)
class KafkaArgs:
    """What the cluster is given. Without `zookeeper` the brokers keep the metadata themselves (KRaft)."""

    scope: Scope
    network: Network
    settings: InfrastructureSettings
    zookeeper: Zookeeper | None
    ports: Sequence[int]


class Kafka(pulumi.ComponentResource):
    """Kafka brokers, each with a listener for the network and one for the host, and the topics.

    Outputs: `broker` (Broker).
    """

    broker: Broker

    def __init__(self, name: str, args: KafkaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:infrastructure:Kafka", name, None, opts)
        scope = args.scope
        hosts = [copy_name(name, i) for i in range(len(args.ports))]
        services = [Service(host, self._service(args, hosts, i), child_of(self)) for i, host in enumerate(hosts)]
        ready = [container for service in services for container in service.ready]
        addresses = [f"{scope.platform.bind_address}:{port}" for port in args.ports]
        topics: dict[str, Topic] = {}
        if scope.keeps_data:
            provider = kafka.Provider(f"{name}-provider", bootstrap_servers=addresses, tls_enabled=False, timeout=30,
                                      opts=child_of(self, depends_on=ready))
            options = child_of(self, provider=provider, depends_on=ready, deleted_with=services[0].data)
            topics = {spec.name: declare(spec, args.settings, options) for spec in TOPICS}
        self.broker = Broker(bootstrap=",".join(f"{host}:29092" for host in hosts), external=",".join(addresses),
                             topics=topics, ready=[*ready, *(r for topic in topics.values() for r in topic.ready)])
        self.register_outputs({"bootstrap": self.broker.bootstrap, "external": self.broker.external})

    def _service(self, args: KafkaArgs, hosts: Sequence[str], index: int) -> ServiceArgs:
        folder, scope, settings = Path(__file__).parent, args.scope, args.settings
        variables = {
            "kraft": args.zookeeper is None, "zookeeper": args.zookeeper.connect if args.zookeeper else "",
            "broker_id": index + 1, "host": hosts[index], "data": DATA,
            "advertised": f"{scope.platform.bind_address}:{args.ports[index]}",
            "voters": ",".join(f"{i + 1}@{host}:9093" for i, host in enumerate(hosts)),
            "replication": settings.kafka_replication, "min_insync": settings.kafka_min_insync_replicas,
            "cluster_id": cluster_id(scope)}
        names = {"server.properties": "server.properties", "start": "kafka-start.sh", "health": "kafka-health.sh"}
        heap = settings.kafka_heap_mb
        return ServiceArgs(
            scope=scope, network=args.network, image="kafka",
            command=["bash", f"{CONFIG_FOLDER}/start"],
            environment={"KAFKA_HEAP_OPTS": f"-Xms{heap // 2}m -Xmx{heap}m", "LOG_DIR": "/tmp"},
            files={f"{CONFIG_FOLDER}/{name}": render(folder, file, **variables) for name, file in names.items()},
            volumes={"data": DATA},
            ports=[Port(inside=9092, outside=args.ports[index])],
            health=Health(["bash", f"{CONFIG_FOLDER}/health"]),
            # Beside its heap a broker maps its indexes and compresses outside of it.
            answers=29092, metrics=None, limits=Limits(memory_mb=heap * 2 + 256, cpus=2.0),
            # A controlled shutdown hands the partitions over and closes the log cleanly.
            stop_grace_seconds=60,
            after=args.zookeeper.ready if args.zookeeper else ())


def declare(spec: TopicSpec, settings: InfrastructureSettings, options: pulumi.ResourceOptions) -> Topic:
    """Declares one topic with the stack's replication and retention."""
    retention = spec.days * DAY_MS * settings.kafka_retention_factor if spec.days else None
    partitions = spec.small if settings.kafka_partitions == "small" else spec.large
    # The broker's clock says when the platform took a record; a sender's could say anything.
    config = {"min.insync.replicas": str(settings.kafka_min_insync_replicas), "message.timestamp.type": "LogAppendTime",
              **({"cleanup.policy": "delete", "retention.ms": str(retention)} if retention
                 else {"cleanup.policy": "compact"})}
    topic = kafka.Topic(f"{spec.name}-topic", name=spec.name, partitions=partitions,
                        replication_factor=settings.kafka_replication, config=config, opts=options)
    return Topic(name=spec.name, partitions=partitions, replication=settings.kafka_replication, retention_ms=retention,
                 ready=[topic])


def cluster_id(scope: Scope) -> str:
    """The KRaft cluster's identity: a UUID in Kafka's notation, the same for each broker and each start of a stack."""
    return base64.urlsafe_b64encode(uuid.uuid5(uuid.NAMESPACE_DNS, scope.name("kafka")).bytes).decode().rstrip("=")
