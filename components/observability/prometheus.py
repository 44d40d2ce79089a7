"""Prometheus: what it scrapes follows from the services that the layers declare, its alert rules stand in files/rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.contracts import HttpService, Network, Observed
from components.files import render
from components.layer import Scope, child_of
from components.observability.health import answers
from components.service import CONFIG_FOLDER, Limits, Port, Service, ServiceArgs

INSIDE = 9090
FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class PrometheusArgs:
    """What Prometheus is given: every service that runs, where alerts go (`host:port`), and how many days it remembers. `after` is
    what takes long to start: it would be called down meanwhile."""

    scope: Scope
    network: Network
    targets: Sequence[Observed]
    alertmanager: str
    days: int
    port: int
    after: Sequence[pulumi.Resource] = ()


class Prometheus(pulumi.ComponentResource):
    """One Prometheus that scrapes every service which has metrics, itself among them, and judges the alert rules.

    Outputs: `page` (HttpService).
    """

    page: HttpService

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:observability:Prometheus", name, None, opts)
        url = f"http://{args.scope.platform.bind_address}:{args.port}"
        itself = Observed(name=name, layer=args.scope.layer, host=name, port=INSIDE, metrics="/metrics")
        service = Service(name, ServiceArgs(
            scope=args.scope, network=args.network, image="prometheus",
            command=["/bin/prometheus", f"--config.file={CONFIG_FOLDER}/prometheus.yml", "--storage.tsdb.path=/prometheus",
                     f"--storage.tsdb.retention.time={args.days}d", f"--web.listen-address=:{INSIDE}", f"--web.external-url={url}"],
            files={f"{CONFIG_FOLDER}/prometheus.yml": configuration([*args.targets, itself], args.alertmanager, args.scope.stack),
                   **{f"{CONFIG_FOLDER}/rules-{rules}": text for rules, text in rule_files().items()}},
            volumes={"data": "/prometheus"},
            ports=[Port(inside=INSIDE, outside=args.port)],
            answers=INSIDE, metrics="/metrics",
            # It is ready once it has read its log again, which takes a while after a kill.
            health=answers(INSIDE, "/-/ready"),
            limits=Limits(memory_mb=512), stop_grace_seconds=30, after=args.after), child_of(self))
        self.page = HttpService(name=name, host=service.host, port=INSIDE, page=True, url=url, health_path="/-/ready",
                                ready=service.ready)
        self.register_outputs({"url": url})


def configuration(targets: Sequence[Observed], alertmanager: str, stack: str) -> str:
    """Prometheus's configuration: one job in which each service with metrics is a target with a path of its own."""
    with_metrics = sorted((target for target in targets if target.port and target.metrics), key=lambda target: target.name)
    return render(FOLDER, "prometheus.yml", targets=with_metrics, alertmanager=alertmanager, stack=stack)


def rule_files() -> Mapping[str, str]:
    """The alert rules by the name of their file. They are no templates: Prometheus's own stand in them."""
    return {path.name: path.read_text() for path in sorted((FOLDER / "files" / "rules").glob("*.yml"))}
