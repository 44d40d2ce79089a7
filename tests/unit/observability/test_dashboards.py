"""Grafana's dashboards: valid by Grafana's own models, on metrics that somebody offers, and complete with what they need."""

from __future__ import annotations

import configparser
import json
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from components.observability import grafana
from components.observability.dashboards import BOARDS, Board, queries, rendered
from tests.unit.observability.alert_rules import FOREIGN, metrics_of, offered, rules

NEEDS = {"overview", "ingestion", "lake", "kafka", "spark", "model", "airflow", "logs"}
FILES = grafana.files("http://127.0.0.1:3000", "http://prometheus:9090", "http://alertmanager:9093")
SCRAPES = {"scrape_duration_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total", "jobs",
           "metrics_worker_coresUsed_Value", "metrics_worker_coresFree_Value", "metrics_worker_memUsed_MB_Value"}
"""Offered by Prometheus, by its client library, by the collector of jobs, and by Spark."""


def panels(board: Board) -> list[dict[str, Any]]:
    """The panels of a dashboard's JSON, without rows."""
    return [panel for panel in json.loads(rendered(board))["panels"] if panel["type"] != "row"]


def test_there_is_a_dashboard_for_each_need_under_a_name_of_its_own() -> None:
    names = [board.uid for board in BOARDS]
    assert set(names) >= NEEDS and len(set(names)) == len(names)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_dashboard_is_one_by_grafanas_own_models(board: Board) -> None:
    """What they read and write again is the same: no field is unknown to them, none of another type."""
    given = json.loads(rendered(board))
    assert json.loads(JSONEncoder().encode(Dashboard.from_json(given))) == given


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_every_panel_has_a_title_a_source_and_queries_with_names_of_their_own(board: Board) -> None:
    for panel in panels(board):
        assert panel["title"] and panel["datasource"]["uid"] == "prometheus"
        names = [target["refId"] for target in panel["targets"]]
        assert names and len(set(names)) == len(names)
    assert [target["expr"] for panel in panels(board) for target in panel["targets"]] == queries(board)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_panels_lie_side_by_side_and_on_the_grid(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(board):
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken
        taken |= cells


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_queries_ask_only_for_metrics_that_are_offered(board: Board) -> None:
    known = offered() | SCRAPES | {rule["record"] for rule in rules() if "record" in rule}
    asked = {name for query in queries(board) for name in metrics_of(query)}
    assert {name for name in asked - known if not FOREIGN.fullmatch(name)} == set()


def test_grafana_finds_its_sources_and_dashboards_where_it_looks() -> None:
    settings = configparser.RawConfigParser()
    settings.read_string(FILES["/run/config/grafana.ini"])
    provisioning = settings.get("paths", "provisioning")
    sources = yaml.safe_load(FILES[f"{provisioning}/datasources/sources.yml"])["datasources"]
    assert {source["uid"]: source["url"] for source in sources}["prometheus"] == "http://prometheus:9090"
    provider, = yaml.safe_load(FILES[f"{provisioning}/dashboards/dashboards.yml"])["providers"]
    assert {f"{provider['options']['path']}/{board.uid}.json" for board in BOARDS} <= set(FILES)
    assert settings.get("dashboards", "default_home_dashboard_path") in FILES


def test_grafana_reads_its_password_from_a_file_and_asks_nothing_of_the_internet() -> None:
    settings = configparser.RawConfigParser()
    settings.read_string(FILES["/run/config/grafana.ini"])
    assert settings.get("security", "admin_password") == "$__file{/run/secrets/admin-password}"
    assert not settings.getboolean("analytics", "reporting_enabled") and settings.getboolean("plugins", "preinstall_disabled")
