"""The observability layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.application import MONITOR_PORT, Application
from components.contracts import Broker, Cache, Database, HttpService, Lake, Network
from components.layer import Layer, child_of
from components.observability.alertmanager import Alertmanager, AlertmanagerArgs, Email, Slack
from components.observability.exporters import Exporters, ExportersArgs
from components.observability.grafana import Grafana, GrafanaArgs
from components.observability.log_shipper import LogShipper, LogShipperArgs
from components.observability.monitoring import SERVICE, MonitoringArgs, monitoring, observed
from components.observability.opensearch import OpenSearch, OpenSearchArgs
from components.observability.opensearch_dashboards import OpenSearchDashboards, OpenSearchDashboardsArgs
from components.observability.prometheus import Prometheus, PrometheusArgs
from components.observability.settings import ObservabilitySettings

PROMETHEUS, ALERTMANAGER = "prometheus:9090", "alertmanager:9093"
"""Grafana shows them and is declared before them, since Prometheus scrapes it, too."""


class Observability(Layer):
    """Metrics, alerts, logs, and the monitoring service with the control room, of all layers that run.

    Outputs: `control_room` (HttpService).
    """

    control_room: HttpService

    def __init__(self, name: str, settings: ObservabilitySettings, *, layers: Sequence[Layer], network: Network, broker: Broker,
                 lake: Lake, cache: Cache, servers: Mapping[str, Database], registry: HttpService, airflow: HttpService,
                 opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Observability", name, settings, opts)
        scope, here = self.scope, child_of(self)
        store = OpenSearch("opensearch", OpenSearchArgs(scope=scope, network=network, heap_mb=settings.opensearch_heap_mb), here)
        LogShipper("log-shipper", LogShipperArgs(
            scope=scope, network=network, store=store.url, after=store.service.ready), here)
        Exporters("exporters", ExportersArgs(scope=scope, network=network, databases=servers, cache=cache, search=store.url), here)
        pages: list[HttpService] = []
        if scope.catalog.choose("grafana"):
            pages.append(Grafana("grafana", GrafanaArgs(
                scope=scope, network=network, prometheus=f"http://{PROMETHEUS}", alertmanager=f"http://{ALERTMANAGER}",
                password=settings.secret("grafana"), port=settings.port("grafana")), here).page)
        if scope.catalog.choose("opensearch-dashboards"):
            pages.append(OpenSearchDashboards("opensearch-dashboards", OpenSearchDashboardsArgs(
                scope=scope, network=network, store=store.url, port=settings.port("opensearch-dashboards"),
                after=store.service.ready), here).page)
        alertmanager = Alertmanager("alertmanager", AlertmanagerArgs(
            scope=scope, network=network, webhook=f"http://{SERVICE}:{MONITOR_PORT}/alerts", port=settings.port("alertmanager"),
            webhook_secret=settings.secret("alert-webhook"), email=email(settings), slack=slack(settings)), here)
        # The monitoring service is shown what Prometheus is, and scraped by it: who comes first knows the other by name.
        elsewhere = [service for layer in layers for service in layer.observed]
        prometheus = Prometheus("prometheus", PrometheusArgs(
            scope=scope, network=network, targets=[*elsewhere, *self.observed, observed(scope)], alertmanager=alertmanager.address,
            days=settings.prometheus_days, port=settings.port("prometheus"), after=store.service.ready), here)
        pages += [prometheus.page, alertmanager.server]
        application = Application("MonitoringService", SERVICE, monitoring(MonitoringArgs(
            scope=scope, network=network, settings=settings, broker=broker, lake=lake, layers=layers,
            registry=registry if registry.ready else None, airflow=airflow if airflow.ready else None,
            airflow_password=settings.secret("airflow-monitoring"), services=[*elsewhere, *self.observed],
            pages=[*(page for layer in layers for page in layer.pages), *pages],
            urls={"prometheus": f"http://{PROMETHEUS}", "alertmanager": f"http://{alertmanager.address}", "opensearch": store.url},
            after=[*prometheus.page.ready, *alertmanager.server.ready, *store.service.ready])), here)
        self.control_room = HttpService(
            name=SERVICE, host=SERVICE, port=MONITOR_PORT, page=True, health_path="/health", ready=application.service.ready,
            url=f"http://{scope.platform.bind_address}:{settings.port(SERVICE)}")
        self.finish({"control_room": self.control_room.url}, pages=(self.control_room, *pages))


def email(settings: ObservabilitySettings) -> Email | None:
    """Where alerts are mailed, where the stack says so."""
    if not (settings.alert_email_to and settings.alert_email_from and settings.alert_smtp):
        return None
    return Email(to=settings.alert_email_to, sender=settings.alert_email_from, server=settings.alert_smtp,
                 user=settings.alert_smtp_user, password=settings.given("alert-smtp-password"))


def slack(settings: ObservabilitySettings) -> Slack | None:
    """The channel that is told, where the stack says so."""
    url = settings.given("alert-slack-url")
    return Slack(channel=settings.alert_slack_channel, url=url) if settings.alert_slack_channel and url is not None else None
