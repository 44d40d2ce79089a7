"""The document of the page, and the HTTP interface around it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from applications.monitoring.service.alerts import Alerts, Webhook
from applications.monitoring.service.app import HEADERS, PAGE, create_app
from applications.monitoring.service.clients import Away
from applications.monitoring.service.measuring import Found, Measurement
from applications.monitoring.service.settings import MonitoringSettings
from applications.monitoring.service.state import KEPT_SECONDS, State
from applications.monitoring.service.work import measurements
from tests.unit.monitoring_service.service_world import KEY, PLATFORM, alert, measured, posted

UP = {"minio": True, "kafka-consumer": True}
BEARER = {"Authorization": f"Bearer {KEY}"}


class World:
    """A state whose services are what a test says, and the interface that shows it."""

    def __init__(self, folder: Path) -> None:
        self.up: Mapping[str, bool] = dict(UP)
        self.silent: list[str] = []
        self.now, self.ill = 1000.0, ""
        self.alerts = Alerts(folder / "alerts.json")
        self.services = Measurement("services", 3, lambda: Found((), dict(self.up)))
        self.flow = Measurement("flow", 3, lambda: Found((), {"stages": [], "silent": self.silent}))
        self.state = State(PLATFORM, [self.services, self.flow, measured("airflow", {"alive": {}, "dags": []})], self.alerts,
                           lambda: self.now)
        app = create_app(self.state, self.alerts, KEY, {"services": lambda: self.ill or None}, "# Runbook\n\n## Lag\n\nWait.\n")
        self.http = TestClient(app, raise_server_exceptions=False)

    def seen(self) -> dict[str, str]:
        """The states of the services, after a look."""
        self.services.once()
        self.flow.once()
        return {service["name"]: service["state"] for layer in self.state.document()["layers"] for service in layer["services"]}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """All is well."""
    return World(tmp_path)


def test_the_state_of_each_service(world: World) -> None:
    """Nobody misses what is stopped; what nobody can speak for is unknown; a port without metrics is no service that is well."""
    assert world.seen() == {"minio": "up", "quiet": "unknown", "kafka-consumer": "up", "model-serving": "stopped"}
    world.up, world.silent = {"minio": True, "kafka-consumer": False}, ["minio", "kafka-consumer", "model-serving"]
    assert world.seen() == {"minio": "silent", "quiet": "unknown", "kafka-consumer": "down", "model-serving": "stopped"}


def test_before_the_first_look_nothing_is_claimed(world: World) -> None:
    """Neither up nor down, and what was not measured is null."""
    document = world.state.document()
    states = {service["state"] for layer in document["layers"] for service in layer["services"] if layer["state"] == "running"}
    assert states == {"unknown"}
    assert document["stages"] is None and document["topics"] is None and document["dags"] == []
    stale = {found["name"]: found["stale"] for found in document["measurements"]}
    assert stale == {"services": True, "flow": True, "airflow": False}


def test_since_when_a_service_is_down(world: World) -> None:
    """The moment at which it was seen to change; what was so from the beginning has none."""
    def since() -> float | None:
        found: float | None = world.state.document()["layers"][1]["services"][0]["since"]
        return found

    world.services.once()
    assert since() is None
    world.up, world.now = {"minio": True, "kafka-consumer": False}, 1010.0
    world.services.once()
    assert since() == 1010
    world.now = 1020.0
    assert since() == 1010


def test_links_lead_from_services_to_their_pages(world: World) -> None:
    """The object store's page is called its console."""
    (minio, quiet) = world.state.document()["layers"][0]["services"]
    assert minio["link"] == "http://127.0.0.1:9001" and quiet["link"] is None


def test_a_document_serves_all_who_ask_within_a_second(world: World) -> None:
    """So that many browsers cost no more than one."""
    first = world.http.get("/api/state").content
    take(world, alert("Lag", "1"))
    world.now += KEPT_SECONDS / 2
    assert world.http.get("/api/state").content == first
    world.now += KEPT_SECONDS / 2
    assert [found["name"] for found in world.http.get("/api/state").json()["alerts"]] == ["Lag"]


def take(world: World, *alerts: dict[str, Any]) -> None:
    """Alertmanager posts, with its bearer."""
    answer = world.http.post("/alerts", json=posted(*alerts), headers=BEARER)
    assert answer.status_code == 200 and answer.json() == {"taken": len(alerts)}


def test_alerts_are_taken_from_alertmanager_alone(world: World) -> None:
    """Whoever else could start trainings."""
    body = posted(alert("Lag", "1"))
    assert world.http.post("/alerts", json=body).status_code == 401
    assert world.http.post("/alerts", json=body, headers={"Authorization": "Bearer another-bearer-of-somebody"}).status_code == 403
    assert world.alerts.open == []
    take(world, alert("Lag", "1"))
    take(world, alert("Lag", "1", status="resolved"))
    assert world.alerts.open == []


@pytest.mark.parametrize("body", [{}, {"version": "3", "alerts": []}, {"version": "4", "alerts": [{"labels": {}}]}, []])
def test_what_is_no_message_of_alertmanager_is_refused(world: World, body: object) -> None:
    """With the places that are wrong, and nothing is half taken."""
    answer = world.http.post("/alerts", json=body, headers=BEARER)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")
    assert world.http.post("/alerts", content=b"x", headers={**BEARER, "Content-Type": "text/plain"}).status_code == 415


def test_health_is_that_measuring_goes_on(world: World) -> None:
    """A platform that is ill is told about, and makes its messenger not ill."""
    world.up = dict.fromkeys(UP, False)
    assert world.http.get("/health").status_code == 200
    world.ill = "services has not ended for 1000 s"
    answer = world.http.get("/health")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"services": world.ill})


@pytest.mark.parametrize("path", ["/", "/runbook", *(f"/{file.name}" for file in sorted(PAGE.iterdir()))])
def test_every_file_is_served_with_its_policy(world: World, path: str) -> None:
    """No page may load or send anything elsewhere; what has not changed is not sent again."""
    answer = world.http.get(path)
    assert answer.status_code == 200 and HEADERS.items() <= {name.title(): value for name, value in answer.headers.items()}.items()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    kind = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}[
        path.rpartition(".")[2] if "." in path else "html"]
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert world.http.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_requests_are_counted_by_path(world: World) -> None:
    """Unknown ones together, so that nobody can fill the metrics."""
    world.http.get("/api/state")
    assert world.http.get("/no-such-page").status_code == 404
    metrics = world.http.get("/metrics").text
    assert 'monitoring_request_seconds_count{path="/api/state",status="200"}' in metrics
    assert 'monitoring_request_seconds_count{path="other",status="404"}' in metrics and "no-such-page" not in metrics


def test_what_is_away_is_told_on_the_page(tmp_path: Path) -> None:
    """By the measurement's own words."""
    def measure() -> Found:
        raise Away("Kafka does not answer")

    kafka = Measurement("kafka", 10, measure)
    kafka.once()
    document = State(PLATFORM, [kafka], Alerts(tmp_path / "alerts.json")).document()
    assert document["topics"] is None and document["measurements"][0]["error"] == "Kafka does not answer"


def settings(folder: Path, **more: str) -> MonitoringSettings:
    """Settings of a stack that has only what is named."""
    return MonitoringSettings.model_validate({"stack": "test", "alert_webhook": KEY, "data": folder, **more})


def test_what_a_stack_does_not_run_is_not_measured(tmp_path: Path) -> None:
    """A layer that is switched off makes no failures; each name is one that is asked for elsewhere."""
    alone = measurements(settings(tmp_path), PLATFORM, Alerts(tmp_path / "alerts.json"))
    assert {found.name for found in alone} == {"services", "alerts"}
    every = settings(tmp_path, kafka_bootstrap="k:1", lake_endpoint="http://m:1", lake_secret_key="s", prometheus_url="http://p:1",
                     alertmanager_url="http://a:1", airflow_url="http://f:1", mlflow_uri="http://r:1", opensearch_url="http://o:1")
    names = [found.name for found in measurements(every, PLATFORM, Alerts(tmp_path / "alerts.json"))]
    assert sorted(names) == ["airflow", "alerts", "champion", "drift", "flow", "kafka", "lake", "logs", "predictions", "retention",
                             "retraining", "services"]


def test_a_webhook_of_many_alerts_is_read() -> None:
    """As Alertmanager writes it, with what we do not use."""
    message = json.loads(json.dumps(posted(*(alert("Lag", str(number)) for number in range(3))) | {"truncatedAlerts": 0}))
    assert len(Webhook.model_validate(message).alerts) == 3
