"""The log-shipper, which takes the lines of all containers of this stack to the log store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.application import MONITOR_PORT
from components.contracts import Network
from components.layer import Scope, child_of
from components.service import Health, Limits, Service, ServiceArgs

COMMAND = ("python3", "-m", "applications.observability.shipper")


@dataclass(frozen=True, kw_only=True)
class LogShipperArgs:
    """What the shipper is given: `store` is the log store's URL, `after` what must exist first."""

    scope: Scope
    network: Network
    store: str
    after: Sequence[pulumi.Resource] = ()


class LogShipper(pulumi.ComponentResource):
    """One container that reads Docker's log files, as root since they are root's, and without any capability.

    Outputs: `service` (Service).
    """

    service: Service

    def __init__(self, name: str, args: LogShipperArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:observability:LogShipper", name, None, opts)
        self.service = Service(name, ServiceArgs(
            scope=args.scope, network=args.network, image="log-shipper", command=COMMAND, user="0:0", container_logs=True,
            environment={"SERVICE": name, "LAYER": args.scope.layer, "STACK": args.scope.stack, "OPENSEARCH_URL": args.store},
            # How far it read, and the lines that OpenSearch has not taken yet.
            volumes={"state": "/state"},
            answers=MONITOR_PORT, metrics="/metrics",
            health=Health.http(MONITOR_PORT, "/health"),
            limits=Limits(memory_mb=256, cpus=1.0), stop_grace_seconds=15, after=args.after), child_of(self))
        self.register_outputs({"host": self.service.host})
