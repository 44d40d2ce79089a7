"""A service that runs our own code: what all of them have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components.contracts import Network
from components.layer import Scope, child_of
from components.service import Health, Limits, Port, Service, ServiceArgs

MONITOR_PORT = 8080
"""Where every application answers /health and /metrics, unless its own HTTP server does."""


@dataclass(frozen=True, kw_only=True)
class ApplicationArgs:
    """What an application is given.

    `module` is run by Python; `environment` and `secrets` are its settings by field name, in small letters. `after` are
    resources that must exist first. `health_port` differs where the application's own HTTP server answers /health.
    """

    scope: Scope
    network: Network
    image: str
    module: str
    limits: Limits
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    files: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    ports: Sequence[Port] = ()
    health_port: int = MONITOR_PORT
    stop_grace_seconds: int = 30
    after: Sequence[pulumi.Resource] = ()


class Application(pulumi.ComponentResource):
    """One container of ours. Outputs: `service` (Service)."""

    service: Service

    def __init__(self, kind: str, name: str, args: ApplicationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"clinical:{args.scope.layer}:{kind}", name, None, opts)
        settings = {"service": name, "layer": args.scope.layer, **args.environment}
        self.service = Service(name, ServiceArgs(
            scope=args.scope, network=args.network, image=args.image, command=["python3", "-m", args.module],
            environment={key.upper(): value for key, value in settings.items()},
            files=args.files, secrets=args.secrets, volumes=args.volumes, ports=args.ports,
            health=Health.http(args.health_port, "/health"), limits=args.limits,
            answers=args.health_port, metrics="/metrics",
            stop_grace_seconds=args.stop_grace_seconds, after=args.after), child_of(self))
        self.register_outputs({"host": self.service.host})
