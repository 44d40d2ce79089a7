"""Pages on the log store. Their image cannot be built from package registries, so a `build` stack has none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from components.contracts import HttpService, Network
from components.files import render
from components.layer import Scope, child_of
from components.service import CONFIG_FOLDER, Health, Limits, Port, Service, ServiceArgs

INSIDE = 5601
PATTERN = "logs"
COLUMNS = ("layer", "service", "level", "message")
SEARCHES: Mapping[str, str] = {"All lines": "", "Errors": "level: (error or critical)", "Warnings": "level: warning"}


@dataclass(frozen=True, kw_only=True)
class OpenSearchDashboardsArgs:
    """What the pages are given: `store` is the log store's URL, `after` what must exist first."""

    scope: Scope
    network: Network
    store: str
    port: int
    after: Sequence[pulumi.Resource] = ()


class OpenSearchDashboards(pulumi.ComponentResource):
    """OpenSearch Dashboards without a login, as the store has none: it is for the host's own address.

    Outputs: `page` (HttpService).
    """

    page: HttpService

    def __init__(self, name: str, args: OpenSearchDashboardsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:observability:OpenSearchDashboards", name, None, opts)
        service = Service(name, ServiceArgs(
            scope=args.scope, network=args.network, image="opensearch-dashboards",
            command=["bash", f"{CONFIG_FOLDER}/opensearch-dashboards-start.sh"],
            files=files(args.store, args.scope.stack),
            ports=[Port(inside=INSIDE, outside=args.port)],
            answers=INSIDE, metrics=None,
            health=Health.http(INSIDE, "/api/status"),
            limits=Limits(memory_mb=1024), after=args.after), child_of(self))
        self.page = HttpService(name=name, host=service.host, port=INSIDE, page=True, health_path="/api/status",
                                url=f"http://{args.scope.platform.bind_address}:{args.port}", ready=service.ready)
        self.register_outputs({"url": self.page.url})


def files(store: str, stack: str) -> Mapping[str, str]:
    """The configuration, and the saved objects with what creates them."""
    folder = Path(__file__).parent
    texts: dict[str, dict[str, Any]] = {
        "opensearch-dashboards.yml": {"store": store, "port": INSIDE}, "opensearch-dashboards-start.sh": {},
        "opensearch-dashboards-objects.sh": {"port": INSIDE}}
    return {**{f"{CONFIG_FOLDER}/{name}": render(folder, name, **variables) for name, variables in texts.items()},
            f"{CONFIG_FOLDER}/opensearch-dashboards-objects.json": json.dumps(objects(stack))}


def objects(stack: str) -> list[dict[str, Any]]:
    """The pattern of the stack's indices, and searches that one begins with."""
    reference = {"id": PATTERN, "type": "index-pattern", "name": "kibanaSavedObjectMeta.searchSourceJSON.index"}
    pattern = {"type": "index-pattern", "id": PATTERN,
               "attributes": {"title": f"logs-{stack.lower()}-*", "timeFieldName": "@timestamp"}}
    return [pattern, *({
        "type": "search", "id": title.lower().replace(" ", "-"), "references": [reference],
        "attributes": {"title": title, "columns": list(COLUMNS), "sort": [["@timestamp", "desc"]],
                       "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps({
                           "query": {"language": "kuery", "query": query}, "filter": [], "indexRefName": reference["name"]})}},
    } for title, query in SEARCHES.items())]
