"""The keeper of Kafka's metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.contracts import Network
from components.files import render
from components.infrastructure.settings import copy_name
from components.layer import Scope, child_of
from components.service import CONFIG_FOLDER, Health, Limits, Port, Service, ServiceArgs

DATA = "/var/lib/kafka/data"


@dataclass(frozen=True, kw_only=True)
class ZookeeperArgs:
    """What the ensemble is given: one host port a node."""

    scope: Scope
    network: Network
    ports: Sequence[int]


class Zookeeper(pulumi.ComponentResource):
    """An ensemble of ZooKeeper nodes, from Kafka's own image.

    Outputs: `connect` (host:port list for Kafka), `ready`.
    """

    connect: str
    ready: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: ZookeeperArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:infrastructure:Zookeeper", name, None, opts)
        nodes = [copy_name(name, i) for i in range(len(args.ports))]
        configuration = render(Path(__file__).parent, "zookeeper.properties", nodes=nodes, data=DATA)
        services = [Service(node, self._service(args, i, configuration), child_of(self)) for i, node in enumerate(nodes)]
        self.connect = ",".join(f"{node}:2181" for node in nodes)
        self.ready = [container for service in services for container in service.ready]
        self.register_outputs({"connect": self.connect})

    def _service(self, args: ZookeeperArgs, index: int, configuration: str) -> ServiceArgs:
        return ServiceArgs(
            scope=args.scope, network=args.network, image="kafka",
            command=["/opt/kafka/bin/zookeeper-server-start.sh", f"{CONFIG_FOLDER}/zookeeper.properties"],
            environment={"KAFKA_HEAP_OPTS": "-Xms64m -Xmx128m", "LOG_DIR": "/tmp"},
            files={f"{CONFIG_FOLDER}/zookeeper.properties": configuration, f"{DATA}/myid": f"{index + 1}\n",
                   f"{CONFIG_FOLDER}/health": render(Path(__file__).parent, "zookeeper-health.sh")},
            volumes={"data": DATA},
            ports=[Port(inside=2181, outside=args.ports[index])],
            health=Health(["bash", f"{CONFIG_FOLDER}/health"]),
            answers=2181, metrics=None, limits=Limits(memory_mb=320, cpus=0.5))
