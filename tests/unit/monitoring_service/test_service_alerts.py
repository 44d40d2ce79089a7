"""Alerts: open, closed, kept; and the one training that drift leads to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from applications.monitoring.model import retraining_run
from applications.monitoring.service.alerts import AlertList, Alerts, Webhook
from applications.monitoring.service.clients import Airflow, Away, Client
from applications.monitoring.service.retraining import ALERT, DAG, Retraining
from applications.monitoring.thresholds import thresholds
from tests.unit.monitoring_service.json_server import serving
from tests.unit.monitoring_service.service_world import alert, posted, values

RUNS = f"/api/v2/dags/{DAG}/dagRuns"
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
COOL_DOWN = timedelta(hours=thresholds().retraining.cool_down_hours)


def take(alerts: Alerts, *found: dict[str, Any]) -> None:
    """Alertmanager posts."""
    alerts.take(Webhook.model_validate(posted(*found)))


def names(alerts: Alerts) -> list[str]:
    """The open alerts, in their order."""
    return [found.name for found in alerts.open]


def test_an_alert_is_open_until_it_is_resolved(tmp_path: Path) -> None:
    """Posted twice it is one; a restart between finds it again; the end of one that nobody knows changes nothing."""
    file = tmp_path / "alerts.json"
    take(Alerts(file), alert("Lag", "1"), alert("Lag", "1"), alert("Down", "2", severity="critical"))
    again = Alerts(file)
    assert names(again) == ["Down", "Lag"]
    take(again, alert("Down", "2", status="resolved"), alert("Other", "3", status="resolved"))
    assert names(again) == names(Alerts(file)) == ["Lag"]
    assert again.firing("Lag") is not None and again.firing("Down") is None


def test_the_gravest_come_first_then_the_newest(tmp_path: Path) -> None:
    """A severity that nobody knows comes last and hides nothing."""
    alerts = Alerts(tmp_path / "alerts.json")
    take(alerts, alert("Odd", "0", severity="loud"), alert("Old", "1", starts="2026-11-26T09:00:00Z"), alert("New", "2"),
         alert("Bad", "3", severity="critical", starts="2026-11-26T08:00:00Z"))
    assert names(alerts) == ["Bad", "New", "Old", "Odd"]


def test_what_the_page_shows_of_an_alert(tmp_path: Path) -> None:
    """The runbook's anchor is what stands behind the # of its link."""
    alerts = Alerts(tmp_path / "alerts.json")
    take(alerts, alert("Lag", "1", group="bronze"))
    assert alerts.open[0].facts() == {
        "name": "Lag", "severity": "warning", "since": datetime(2026, 11, 26, 10, tzinfo=UTC).timestamp(),
        "labels": {"group": "bronze"}, "summary": "Lag fires", "description": "Look.", "runbook": "lag"}


def test_a_damaged_file_stops_nothing(tmp_path: Path) -> None:
    """Alertmanager says again what is open."""
    file = tmp_path / "alerts.json"
    file.write_text('[{"fingerprint": 1')
    alerts = Alerts(file)
    take(alerts, alert("Lag", "1"))
    assert names(Alerts(file)) == ["Lag"]


def test_what_was_resolved_while_nobody_listened_goes(tmp_path: Path) -> None:
    """Alertmanager's own list is right; without an answer the alerts stay as they are."""
    alerts = Alerts(tmp_path / "alerts.json")
    take(alerts, alert("Gone", "1"))
    listed = {**alert("Lag", "2"), "status": {"state": "active", "inhibitedBy": [], "silencedBy": []}}
    with serving({"GET /api/v2/alerts": [(503, {}), (200, [listed])]}) as server:
        measured = AlertList(alerts, Client("alertmanager", server.url))
        with pytest.raises(Away):
            measured.measure()
        assert names(alerts) == ["Gone"]
        found = values(measured.measure())
        assert server.asked[0].query == {"active": "true", "silenced": "false", "inhibited": "false"}
    assert names(alerts) == ["Lag"]
    assert found["alerts_open", "warning"] == 1 and found["alerts_open", "critical"] == 0


class Drifting:
    """An open drift alert, an Airflow, and a clock."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.now = folder, NOON
        self.alerts = Alerts(folder / "alerts.json")
        self.airflow = Airflow(url, "monitoring", "a-password")
        take(self.alerts, alert(ALERT, "1"))

    def service(self) -> Retraining:
        """As it is after a start."""
        return Retraining(self.alerts, self.airflow, self.folder / "retraining.json", lambda: self.now)


def airflow(*statuses: int) -> Any:
    """An Airflow that answers so when runs are started."""
    return serving({"POST /auth/token": (201, {"access_token": "t"}), f"POST {RUNS}": [(status, {}) for status in statuses]})


def test_drift_starts_one_training_in_the_cool_down_time(tmp_path: Path) -> None:
    """However often it is looked, a restart between, and at the turn of the run's name; once the time is over, another one."""
    with airflow(200) as server:
        world = Drifting(tmp_path, server.url)
        service = world.service()
        service.measure()
        service.measure()
        world.now = NOON + COOL_DOWN - timedelta(seconds=1)
        found = values(world.service().measure())
        assert [asked.body["dag_run_id"] for asked in server.of(RUNS)] == [retraining_run(NOON)]
        assert found["retraining_started_total",] == 1 and found["retraining_last_timestamp_seconds",] == NOON.timestamp()
        world.now = NOON + COOL_DOWN
        assert values(world.service().measure())["retraining_started_total",] == 2
        assert len({asked.body["dag_run_id"] for asked in server.of(RUNS)}) == 2
        assert server.of(RUNS)[0].body["conf"] == {"reason": f"{ALERT} fires"}


def test_a_run_that_is_there_already_is_not_counted_and_not_asked_for_again(tmp_path: Path) -> None:
    """The DAG model_monitoring may have started it."""
    with airflow(409) as server:
        world = Drifting(tmp_path, server.url)
        service = world.service()
        service.measure()
        assert values(service.measure())["retraining_started_total",] == 0
        assert len(server.of(RUNS)) == 1


def test_an_airflow_that_is_away_is_asked_again(tmp_path: Path) -> None:
    """The alert stays open, so nothing is forgotten."""
    with airflow(503, 200) as server:
        world = Drifting(tmp_path, server.url)
        service = world.service()
        with pytest.raises(Away):
            service.measure()
        assert values(service.measure())["retraining_started_total",] == 1


def test_without_the_alert_nothing_is_started(tmp_path: Path) -> None:
    """Other alerts call for no training; a resolved one no longer does."""
    with airflow(200) as server:
        world = Drifting(tmp_path, server.url)
        take(world.alerts, alert(ALERT, "1", status="resolved"), alert("Lag", "2"))
        facts = world.service().measure().facts
        assert server.asked == [] and facts["called_for"] is False and facts["rests_until"] is None
