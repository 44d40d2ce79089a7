"""Rule: every service is watched, no rule asks for what nobody measures, and an alert comes, leads to something, and goes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import httpx
import pytest

from applications.ingestion import producer
from tests.e2e.command import Command
from tests.e2e.flow import LONGEST, healthy, wait_until
from tests.e2e.stack import Stack
from tests.e2e.watching import OF_LATER, Watching
from tests.e2e.workflows import RETRAINING, Workflows

WITHOUT_METRICS = {"airflow-scheduler", "airflow-dag-processor", "airflow-triggerer", "kafka", "zookeeper", "redis",
                   "redis-insight", "postgres-mlflow", "postgres-airflow", "opensearch"}
"""Services that an exporter, the monitoring service, or Airflow's web server speaks for."""
OF_REPORTS = {"data_quality_status", "model_status"} | OF_LATER
"""Metrics of workflows that have not run here; test_e2e_3_orchestration_watched.py is where they have."""
PATIENTS, SHIFT, DAYS = 1500, 4, 1


@pytest.fixture(scope="module")
def watching(platform: Stack) -> Watching:
    """Whoever is on call."""
    return Watching(platform)


def test_every_service_with_metrics_is_scraped(platform: Stack, watching: Watching) -> None:
    """None is forgotten and each answers."""
    wanted = platform.containers().keys() - WITHOUT_METRICS
    wait_until("every target is up", lambda: set(watching.targets().values()) == {"up"})
    assert watching.targets().keys() == wanted


def test_every_service_is_judged_alive(platform: Stack, watching: Watching) -> None:
    """Those without metrics, too: by a port, a heartbeat or their newest line."""
    def dead() -> dict[str, str]:
        return {service["name"]: service["state"] for layer in watching.state()["layers"] for service in layer["services"]
                if service["state"] != "up"}
    wait_until("the control room shows every service alive", lambda: dead() == {})
    shown = {service["name"] for layer in watching.state()["layers"] for service in layer["services"]}
    assert shown == set(platform.containers())


def test_every_dashboard_is_where_the_command_says(command: Command) -> None:
    """The control room's parts and the other pages; each address answers."""
    found = command("observability", "dashboards", "--json").data()
    assert {"control room", "prometheus", "alertmanager"} <= {row["page"] for row in found}
    answers = {row["url"]: httpx.get(row["url"], timeout=60, follow_redirects=True).status_code for row in found}
    assert {url: status for url, status in answers.items() if status >= 400 and status != 401} == {}


def test_no_alert_asks_for_what_nobody_measures(watching: Watching) -> None:
    """Every metric of every rule exists, or is a counter that has not counted yet: a rule on one that does not never fires."""
    wait_until("every metric but those of reports exists", lambda: set(watching.missing()) <= OF_REPORTS, LONGEST / 2)


def test_a_stopped_consumer_is_an_alert_until_it_is_back(platform: Stack, watching: Watching, command: Command) -> None:
    """Prometheus, Alertmanager, the control room and the command all know, and all forget."""
    platform.containers()["kafka-consumer"].stop(timeout=60)
    try:
        wait_until("the alert fires", lambda: watching.firing("ServiceDown", service="kafka-consumer"))
        wait_until("the control room has heard of it", lambda: watching.told("ServiceDown"))
        open_alerts = command("observability", "alerts", "--json", status=1).data()  # since a critical one is open
        assert {"ServiceDown": "kafka-consumer"} in [{row["alert"]: row["service"]} for row in open_alerts]
    finally:
        platform.containers()["kafka-consumer"].start()
    wait_until("the alert is resolved", lambda: not watching.firing("ServiceDown", service="kafka-consumer"))
    wait_until("the control room has heard of that, too", lambda: not watching.told("ServiceDown"))
    wait_until("all services are healthy", lambda: healthy(platform))


def test_drift_starts_one_training_and_no_second(platform: Stack, watching: Watching, workflows: Workflows) -> None:
    """Patients of another kind: the champion's features drift, the alert fires, and one run of the training DAG is there (which
    does not begin, since the DAG is paused)."""
    wait_until("drift has been judged", lambda: watching.value("model_drift") is not None)
    with tempfile.TemporaryDirectory() as folder:
        sent = producer.run(producer.ProducerSettings(
            service="e2e-drift", kafka_bootstrap=f"127.0.0.1:{platform.port('kafka')}", rate=100, patients=PATIENTS, seed=13,
            shift=SHIFT, history_days=DAYS, history_rate=0, vitals_minutes=120, total_events=1, patient_prefix="D",
            state_path=Path(folder) / "state.json", stop_seconds=LONGEST))
    assert sent.unconfirmed == 0
    wait_until("the champion's features have drifted", lambda: watching.value("model_drift") == 1)
    wait_until("the alert fires", lambda: watching.firing("ModelDrift"))
    wait_until("a training is started", lambda: watching.value("retraining_started_total") == 1)
    first = workflows.airflow.runs(RETRAINING)
    assert [run.id.startswith("monitoring__") for run in first] == [True]
    began = watching.value("monitoring_last_success_timestamp_seconds{measurement='retraining'}") or 0
    wait_until("it was looked again whether one is called for", lambda: (watching.value(
        "monitoring_last_success_timestamp_seconds{measurement='retraining'}") or 0) > began + 30)
    assert watching.firing("ModelDrift") and [run.id for run in workflows.airflow.runs(RETRAINING)] == [first[0].id]
