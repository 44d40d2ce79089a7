"""What is measured in this stack, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from applications.monitoring.lake import LakeAccess
from applications.monitoring.service import kafka
from applications.monitoring.service.alerts import AlertList, Alerts
from applications.monitoring.service.clients import Airflow, Client, Prometheus
from applications.monitoring.service.flow import Flow
from applications.monitoring.service.lake import LakeTables
from applications.monitoring.service.log_store import LogStore
from applications.monitoring.service.measuring import Found, Measurement
from applications.monitoring.service.model import Model
from applications.monitoring.service.platform import Platform
from applications.monitoring.service.retraining import Retraining
from applications.monitoring.service.services import Services
from applications.monitoring.service.settings import MonitoringSettings
from applications.monitoring.service.workflows import Workflows
from applications.monitoring.tables import Tables

KNOCK_SECONDS = 3
"""A service that goes is seen on the page within ten seconds."""
QUICK_SECONDS = 10
HOUR_SECONDS = 3600


def measurements(config: MonitoringSettings, platform: Platform, alerts: Alerts) -> list[Measurement]:
    """Every measurement whose source this stack has, not started yet."""
    found = [*_flow(config), *_lake(config), *_logs(config)]
    workflows = None
    if config.airflow_url:
        airflow = Airflow(config.airflow_url, config.airflow_user, config.airflow_monitoring.get_secret_value())
        workflows = Measurement("airflow", QUICK_SECONDS, Workflows(airflow).measure)
        retraining = Retraining(alerts, airflow, _file(config, "retraining"))
        found += [workflows, Measurement("retraining", QUICK_SECONDS, retraining.measure)]
    services = Services(platform, lambda: _alive(workflows))
    alertmanager = Client("alertmanager", config.alertmanager_url) if config.alertmanager_url else None
    return [Measurement("services", KNOCK_SECONDS, services.measure),
            Measurement("alerts", QUICK_SECONDS, AlertList(alerts, alertmanager).measure), *found]


def open_alerts(config: MonitoringSettings) -> Alerts:
    """The alerts that this service knew when it ended."""
    return Alerts(_file(config, "alerts"))


def _file(config: MonitoringSettings, name: str) -> Path:
    return config.data / f"{name}.json"


def _alive(workflows: Measurement | None) -> dict[str, bool] | None:
    facts = workflows.facts if workflows else None
    return None if facts is None else facts["alive"]


def _flow(config: MonitoringSettings) -> Iterator[Measurement]:
    if config.kafka_bootstrap:
        cluster = kafka.Cluster(config.kafka_bootstrap)

        def measure() -> Found:
            return kafka.measure(cluster)
        yield Measurement("kafka", min(QUICK_SECONDS, config.monitoring_seconds), measure)
    if config.prometheus_url:
        yield Measurement("flow", QUICK_SECONDS, Flow(Prometheus(config.prometheus_url)).measure)


def _lake(config: MonitoringSettings) -> Iterator[Measurement]:
    if not config.lake_endpoint:
        return
    access = LakeAccess(config.lake_endpoint, config.lake_user, config.lake_secret_key.get_secret_value())
    tables = Tables.on_store(access)
    yield Measurement("lake", config.monitoring_seconds, LakeTables(tables).measure)
    if config.mlflow_uri:
        model = Model(config.mlflow_uri, tables)
        yield Measurement("champion", config.monitoring_seconds, model.champion)
        yield Measurement("drift", config.drift_seconds, model.drift)
        yield Measurement("predictions", config.drift_seconds, model.predictions)


def _logs(config: MonitoringSettings) -> Iterator[Measurement]:
    if config.opensearch_url:
        store = LogStore(config.opensearch_url, config.stack, config.logs_days)
        yield Measurement("logs", QUICK_SECONDS, store.measure)
        yield Measurement("retention", HOUR_SECONDS, store.tidy)
