"""Commands on DAGs, alerts and dashboards: what they ask of services, what they print, and what they say when that fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.operations import airflow_fake
from tests.unit.operations.jobs_fake import serving
from tests.unit.pipeline.conftest import Command, Platform


@pytest.fixture
def airflow(platform: Platform) -> Iterator[airflow_fake.World]:
    """A platform whose Airflow has a DAG."""
    with airflow_fake.serving() as world:
        world.dag("backup", "0 2 * * *")
        platform(ports={"airflow-webserver": world.port})
        yield world


def test_dags_and_their_runs_are_listed(airflow: airflow_fake.World, pipeline: Command) -> None:
    """And a file that cannot be read is named."""
    airflow.run_of("backup", "scheduled__1", "failed")
    airflow.errors = [{"filename": "broken.py", "stack_trace": "x\nSyntaxError: no"}]
    done = pipeline("orchestration", "dags")
    assert done.status == 0 and {"backup", "failed", "no"} <= set(done.out.split())
    assert "broken.py cannot be read: SyntaxError: no" in done.err
    assert [run["id"] for run in json.loads(pipeline("orchestration", "dags", "backup", "--json").out)] == ["scheduled__1"]
    done = pipeline("orchestration", "dags", "backups")
    assert done.status == 1 and "did you mean backup?" in done.err


def test_a_run_is_triggered(airflow: airflow_fake.World, pipeline: Command) -> None:
    """With parameters and a note; a dry run starts nothing."""
    assert "would start backup" in pipeline("orchestration", "trigger", "backup", "verify=false", "--dry-run").err
    assert airflow.runs == []
    done = pipeline("orchestration", "trigger", "backup", "verify=false", "--note", "because", "--json")
    assert json.loads(done.out)["id"] == "manual__1"
    assert airflow.seen[-1][3] == {"logical_date": None, "conf": {"verify": False}, "note": "because"}


def test_a_run_that_fails_fails_the_command(airflow: airflow_fake.World, pipeline: Command) -> None:
    """With the task and its last word."""
    airflow.states = ["failed"]
    airflow.task("dump", "failed")
    airflow.lines = ["begins", "the disk is full"]
    done = pipeline("orchestration", "trigger", "backup", "--wait")
    assert done.status == 1 and "failed at dump: the disk is full" in done.err and "/runs/manual__1" in done.err


def alert(name: str, severity: str, since: str, silenced: bool = False) -> dict[str, Any]:
    """An alert as Alertmanager tells it."""
    return {"labels": {"alertname": name, "severity": severity, "service": "kafka"}, "startsAt": since,
            "annotations": {"summary": f"{name} is seen"}, "status": {"silencedBy": ["me"] if silenced else []}}


@pytest.mark.parametrize(("found", "status", "order"), [
    ([], 0, []),
    ([alert("A", "warning", "2026-11-25T10:00:00Z")], 0, ["A"]),
    ([alert("A", "warning", "2026-11-25T10:00:00Z"), alert("B", "critical", "2026-11-25T12:00:00Z"),
      alert("C", "critical", "2026-11-25T11:00:00.5+00:00")], 1, ["C", "B", "A"]),
    ([alert("A", "critical", "2026-11-25T10:00:00Z", silenced=True)], 0, ["A"])])
def test_open_alerts_are_listed_what_is_critical_first(
        platform: Platform, pipeline: Command, found: list[dict[str, Any]], status: int, order: list[str]) -> None:
    """A critical one that nobody silenced is an exit status."""
    with serving(lambda *_: (200, found)) as (port, seen):
        platform(ports={"alertmanager": port})
        done = pipeline("observability", "alerts", "--json", "--silenced")
        assert done.status == status and [row["alert"] for row in json.loads(done.out)] == order
        assert pipeline("observability", "alerts").status == status
    assert [asked[2]["silenced"] for asked in seen] == ["true", "false"]


def test_alerts_that_nobody_can_tell(platform: Platform, pipeline: Command) -> None:
    """An Alertmanager that is away is not a platform without alerts."""
    with serving(lambda *_: (200, [])) as (port, _):
        pass
    platform(ports={"alertmanager": port})
    done = pipeline("observability", "alerts")
    assert done.status == 1 and "Alertmanager does not answer" in done.err and "observability start" in done.err


def test_dashboards_are_those_whose_page_is_there(platform: Platform, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control room by its sections, as its page has them."""
    stack = platform()
    monkeypatch.setattr(stack, "pages", {"monitoring-service": "http://h:1", "prometheus": "http://h:2/"})
    found = json.loads(pipeline("observability", "dashboards", "--json").out)
    assert {"page": "control room", "shows": "Open alerts", "url": "http://h:1/#alerts"} in found
    assert {row["page"] for row in found} == {"control room", "prometheus"}
    assert {"page": "prometheus", "shows": "what is scraped, every rule and its state, queries", "url": "http://h:2/"} in found
