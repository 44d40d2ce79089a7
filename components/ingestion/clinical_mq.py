"""The queue that laboratory results wait in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.contracts import HttpService, Network
from components.files import render
from components.ingestion.broker_definitions import definitions
from components.layer import Scope, child_of
from components.service import CONFIG_FOLDER, Health, Limits, Port, Service, ServiceArgs

MEMORY_MB = 512
AMQP_PORT = 5672


@dataclass(frozen=True, kw_only=True)
class ClinicalMqArgs:
    """What RabbitMQ is given: the password of each user, and the host port of its page."""

    scope: Scope
    network: Network
    passwords: Mapping[str, pulumi.Output[str]]
    port: int


class ClinicalMq(pulumi.ComponentResource):
    """One RabbitMQ with durable queues that keep a message until a consumer says that it is safe.

    Outputs: `host`, `ready`, `page` (HttpService: its management page).
    """

    host: str
    page: HttpService
    ready: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: ClinicalMqArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:ingestion:ClinicalMq", name, None, opts)
        folder = Path(__file__).parent
        service = Service(name, ServiceArgs(
            scope=args.scope, network=args.network, image="rabbitmq", command=["rabbitmq-server"],
            environment={"RABBITMQ_CONFIG_FILE": f"{CONFIG_FOLDER}/rabbitmq.conf", "RABBITMQ_NODENAME": "rabbit@localhost",
                         "RABBITMQ_ENABLED_PLUGINS_FILE": f"{CONFIG_FOLDER}/enabled_plugins",
                         # Erlang's own ports listen inside alone, and its table of ports is no larger than needed.
                         "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+Q 4096 -kernel inet_dist_use_interface {127,0,0,1}",
                         "ERL_EPMD_ADDRESS": "127.0.0.1",
                         # A crash dump would hold the contents of messages.
                         "ERL_CRASH_DUMP_SECONDS": "0"},
            files={f"{CONFIG_FOLDER}/rabbitmq.conf": render(folder, "rabbitmq.conf", memory_mb=MEMORY_MB),
                   f"{CONFIG_FOLDER}/enabled_plugins": render(folder, "enabled_plugins"),
                   f"{CONFIG_FOLDER}/health": render(folder, "rabbitmq-health.sh")},
            # Password hashes are no passwords, but nobody needs to see them either.
            secrets={"definitions.json": pulumi.Output.all(**args.passwords).apply(definitions)},
            volumes={"data": "/var/lib/rabbitmq"}, writable=("/tmp", "/var/log/rabbitmq"),
            ports=[Port(inside=15672, outside=args.port)],
            health=Health(["bash", f"{CONFIG_FOLDER}/health"]),
            answers=15692, metrics="/metrics", limits=Limits(memory_mb=MEMORY_MB), stop_grace_seconds=60), child_of(self))
        self.host, self.ready = service.host, service.ready
        self.page = HttpService(name=name, host=name, port=15672, page=True, ready=service.ready,
                                url=f"http://{args.scope.platform.bind_address}:{args.port}")
        self.register_outputs({"host": self.host, "url": self.page.url})
