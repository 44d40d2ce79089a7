"""The monitoring service: what it is told of the platform."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pulumi

from components.application import MONITOR_PORT, ApplicationArgs
from components.contracts import Broker, HttpService, Lake, Network, Observed
from components.layer import Layer, Scope
from components.observability.settings import ObservabilitySettings
from components.service import CONFIG_FOLDER, Limits, Port
from components.settings import State, comes_after

SERVICE, LAKE_USER = "monitoring-service", "monitoring-service"
RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """What the monitoring service is given: what it asks (None: does not run; `urls` by name), and the layers, services and pages
    that it shows, its own layer's other services among them."""

    scope: Scope
    network: Network
    settings: ObservabilitySettings
    broker: Broker
    lake: Lake
    registry: HttpService | None
    airflow: HttpService | None
    airflow_password: pulumi.Input[str]
    layers: Sequence[Layer]
    services: Sequence[Observed]
    pages: Sequence[HttpService]
    urls: Mapping[str, str]
    after: Sequence[pulumi.Resource]


def monitoring(args: MonitoringArgs) -> ApplicationArgs:
    """The service that measures lag, freshness, quality and drift, hears of alerts, and serves the control room."""
    settings, user = args.settings, args.lake.users[LAKE_USER]
    return ApplicationArgs(
        scope=args.scope, network=args.network, image="ml", module="applications.monitoring.service",
        environment={"stack": args.scope.stack, "kafka_bootstrap": args.broker.bootstrap,
                     "lake_endpoint": args.lake.store.endpoint, "lake_user": user.access_key, "airflow_user": "monitoring",
                     "airflow_url": address(args.airflow), "mlflow_uri": address(args.registry),
                     **{f"{name}_url": url for name, url in args.urls.items()}, "logs_days": str(settings.logs_days),
                     "monitoring_seconds": str(settings.monitoring_seconds), "drift_seconds": str(settings.drift_seconds)},
        files={f"{CONFIG_FOLDER}/platform.json": json.dumps(platform(args), indent=1),
               f"{CONFIG_FOLDER}/runbook.md": RUNBOOK.read_text()},
        secrets={"lake_secret_key": user.secret_key, "airflow_monitoring": args.airflow_password,
                 "alert_webhook": settings.secret("alert-webhook")},
        volumes={"data": "/data"}, ports=[Port(inside=MONITOR_PORT, outside=settings.port(SERVICE))],
        limits=Limits(memory_mb=1024), after=[*args.after, *args.broker.ready, *user.ready])


def address(service: HttpService | None) -> str:
    """Where a service is; nothing where it does not run."""
    return f"http://{service.host}:{service.port}" if service else ""


def platform(args: MonitoringArgs) -> dict[str, object]:
    """The stack graph as the control room draws it: layers with what they need, services, and where each page is."""
    states = {layer.scope.layer: layer.scope.state for layer in args.layers} | {args.scope.layer: State.RUNNING}
    return {"project": args.scope.project, "stack": args.scope.stack,
            "layers": [{"name": name, "needs": comes_after(name), "state": state.value} for name, state in states.items()],
            "services": [asdict(service) for service in (*args.services, observed(args.scope))],
            "links": {page.name: page.url for page in args.pages if page.url}}


def observed(scope: Scope) -> Observed:
    """The service itself, for whoever must know it before it is declared."""
    return Observed(name=SERVICE, layer=scope.layer, host=SERVICE, port=MONITOR_PORT, metrics="/metrics")
