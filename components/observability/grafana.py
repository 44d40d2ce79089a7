"""Grafana with the platform's dashboards. Its image cannot be built from package registries, so a `build` stack has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.contracts import HttpService, Network
from components.files import render
from components.layer import Scope, child_of
from components.observability.dashboards import BOARDS, rendered
from components.observability.health import answers
from components.service import CONFIG_FOLDER, SECRETS_FOLDER, Limits, Port, Service, ServiceArgs

INSIDE = 3000
HOME = "/usr/share/grafana"
PASSWORD = "admin-password"


@dataclass(frozen=True, kw_only=True)
class GrafanaArgs:
    """What Grafana is given: where metrics and alerts are (URLs on the network), and the password of its user `admin`."""

    scope: Scope
    network: Network
    prometheus: str
    alertmanager: str
    password: pulumi.Output[str]
    port: int


class Grafana(pulumi.ComponentResource):
    """Grafana behind a login. Outputs: `page` (HttpService)."""

    page: HttpService

    def __init__(self, name: str, args: GrafanaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:observability:Grafana", name, None, opts)
        url = f"http://{args.scope.platform.bind_address}:{args.port}"
        service = Service(name, ServiceArgs(
            scope=args.scope, network=args.network, image="grafana",
            command=[f"{HOME}/bin/grafana", "server", f"--homepath={HOME}", f"--config={CONFIG_FOLDER}/grafana.ini"],
            files=files(url, args.prometheus, args.alertmanager), secrets={PASSWORD: args.password},
            volumes={"data": "/var/lib/grafana"},
            ports=[Port(inside=INSIDE, outside=args.port)],
            answers=INSIDE, metrics="/metrics", health=answers(INSIDE, "/api/health"),
            limits=Limits(memory_mb=384), stop_grace_seconds=20), child_of(self))
        self.page = HttpService(name=name, host=service.host, port=INSIDE, page=True, url=url, health_path="/api/health",
                                ready=service.ready)
        self.register_outputs({"url": url})


def files(url: str, prometheus: str, alertmanager: str) -> Mapping[str, str]:
    """Grafana's configuration, its sources, and every dashboard."""
    folder, provisioning = Path(__file__).parent, f"{CONFIG_FOLDER}/provisioning"
    return {f"{CONFIG_FOLDER}/grafana.ini": render(folder, "grafana.ini", url=url, password_file=f"{SECRETS_FOLDER}/{PASSWORD}"),
            f"{provisioning}/datasources/sources.yml": render(folder, "grafana-sources.yml", prometheus=prometheus,
                                                              alertmanager=alertmanager),
            f"{provisioning}/dashboards/dashboards.yml": render(folder, "grafana-dashboards.yml"),
            **{f"{CONFIG_FOLDER}/dashboards/{board.uid}.json": rendered(board) for board in BOARDS}}
