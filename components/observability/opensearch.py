"""The log store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.contracts import Network
from components.files import render
from components.layer import Scope, child_of
from components.service import CONFIG_FOLDER, Health, Limits, Service, ServiceArgs

INSIDE = 9200
FOLDER = Path(__file__).parent
# It waits for its answer, which is 408 while the state is worse.
HEALTHY = "/_cluster/health?wait_for_status=yellow&timeout=2s"
COMMAND = ("bash", f"{CONFIG_FOLDER}/opensearch-start.sh")
WATERMARKS: Mapping[str, str] = {"low": "3gb", "high": "2gb", "flood_stage": "1gb"}


@dataclass(frozen=True, kw_only=True)
class OpenSearchArgs:
    """What OpenSearch is given. Its container has half as much again as the heap, and what Java takes besides."""

    scope: Scope
    network: Network
    heap_mb: int


class OpenSearch(pulumi.ComponentResource):
    """One OpenSearch without a password, which only the stack's own network reaches.

    Outputs: `service` (Service), `url` (on the network).
    """

    service: Service
    url: str

    def __init__(self, name: str, args: OpenSearchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:observability:OpenSearch", name, None, opts)
        self.service = Service(name, ServiceArgs(
            scope=args.scope, network=args.network, image="opensearch", command=COMMAND,
            environment={"OPENSEARCH_JAVA_OPTS": java_options(args.heap_mb)},
            files=files(args.scope.name(name)),
            volumes={"data": "/usr/share/opensearch/data"},
            answers=INSIDE, metrics=None,  # its exporter speaks for it
            health=Health.http(INSIDE, HEALTHY),
            limits=Limits(memory_mb=args.heap_mb * 3 // 2 + 384, cpus=1.5),
            ready_within=300,  # seconds on a quiet machine, minutes while a whole platform starts on two cores
            stop_grace_seconds=30), child_of(self))
        self.url = f"http://{self.service.host}:{INSIDE}"
        self.register_outputs({"url": self.url})


def java_options(heap_mb: int) -> str:
    """A heap of one size, and half as much beside it for the network; no log of the collector, which the upstream image writes
    into the container."""
    return f"-Xms{heap_mb}m -Xmx{heap_mb}m -XX:MaxDirectMemorySize={heap_mb // 2}m -Xlog:disable -Xlog:all=warning:stderr"


def files(cluster: str, watermarks: Mapping[str, str] = WATERMARKS) -> Mapping[str, str]:
    """What the container finds in its folder of configuration. `watermarks` are amounts of free space."""
    return {f"{CONFIG_FOLDER}/opensearch.yml": render(FOLDER, "opensearch.yml", cluster=cluster, **watermarks),
            f"{CONFIG_FOLDER}/log4j2.properties": render(FOLDER, "opensearch-log4j2.properties"),
            f"{CONFIG_FOLDER}/opensearch-start.sh": render(FOLDER, "opensearch-start.sh")}
