"""A page that shows the broker. Its image cannot be built from package registries, so a `build` stack has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.contracts import Broker, HttpService, Network
from components.files import render
from components.layer import Scope, child_of
from components.service import CONFIG_FOLDER, SECRETS_FOLDER, Health, Limits, Port, Service, ServiceArgs


@dataclass(frozen=True, kw_only=True)
class KafkaUiArgs:
    """What the page is given: the broker it shows and the password of its user `admin`."""

    scope: Scope
    network: Network
    broker: Broker
    password: pulumi.Output[str]
    port: int


class KafkaUi(pulumi.ComponentResource):
    """Kafka UI behind a login. Outputs: `page` (HttpService)."""

    page: HttpService

    def __init__(self, name: str, args: KafkaUiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:infrastructure:KafkaUi", name, None, opts)
        folder = Path(__file__).parent
        service = Service(name, ServiceArgs(
            scope=args.scope, network=args.network, image="kafka-ui",
            command=["java", "--add-opens", "java.rmi/javax.rmi.ssl=ALL-UNNAMED", "-Xmx256m", "-jar", "/api.jar"],
            environment={"SPRING_CONFIG_ADDITIONAL_LOCATION":
                         f"file:{CONFIG_FOLDER}/application.yaml,file:{SECRETS_FOLDER}/login.yaml"},
            files={f"{CONFIG_FOLDER}/application.yaml": render(folder, "kafka-ui.yaml", bootstrap=args.broker.bootstrap)},
            secrets={"login.yaml": args.password.apply(lambda text: render(folder, "kafka-ui-login.yaml", password=text))},
            ports=[Port(inside=8080, outside=args.port)],
            # The image is Alpine's and has no bash.
            health=Health(["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/actuator/health"]),
            answers=8080, metrics=None, limits=Limits(memory_mb=512),
            after=args.broker.ready), child_of(self))
        self.page = HttpService(name=name, host=service.host, port=8080, page=True, ready=service.ready,
                                url=f"http://{args.scope.platform.bind_address}:{args.port}")
        self.register_outputs({"url": self.page.url})
