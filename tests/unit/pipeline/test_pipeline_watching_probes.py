"""The probes of the observability layer tell a service that watches from one that only answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from components.settings import Settings
from operations import inside
from operations.layers import observability
from tests.unit.components.recorded import CONTAINER, PROJECT, STACK, configuration, platform
from tests.unit.operations.jobs_fake import serving


def answered(probe: Callable[[str], str], content: Any, status: int = 200) -> str:
    """What a probe says of a server that answers so."""
    with serving(lambda *_: (status, content)) as (port, _):
        return probe(f"http://127.0.0.1:{port}")


def target(service: str, health: str) -> dict[str, Any]:
    """A target as Prometheus tells it."""
    return {"labels": {"service": service}, "health": health, "lastError": "connection refused" if health == "down" else ""}


def series(value: str | None) -> dict[str, Any]:
    """The answer to an instant query: one series with that value, or none."""
    return {"data": {"result": [] if value is None else [{"value": [0, value]}]}}


def test_every_service_of_the_layer_has_a_probe() -> None:
    """None is forgotten, and none is asked that the stack does not have."""
    settings = Settings.parse(PROJECT, STACK, configuration())
    graph = platform()
    services = {name for name, request in graph.of_type(CONTAINER).items() if graph.layer_of(request) == "observability"}
    assert {probe.service for probe in observability.probes(settings)} == services


def test_prometheus_is_well_when_every_target_answers() -> None:
    """A target that was not asked yet is no fault; one that is down is named with its reason."""
    good = [target("kafka", "up"), target("redis", "unknown")]
    assert answered(observability.targets, {"data": {"activeTargets": good}}) == "scrapes 2 services"
    with pytest.raises(RuntimeError, match="cannot scrape minio: connection refused"):
        answered(observability.targets, {"data": {"activeTargets": [*good, target("minio", "down")]}})


def test_open_alerts_are_named_and_no_fault_of_alertmanager() -> None:
    """It does its work."""
    found = [{"labels": {"alertname": name}} for name in ("NoChampion", "NoChampion", "DiskFull")]
    assert answered(observability.alerts, found) == "open alerts: DiskFull, NoChampion"
    assert answered(observability.alerts, []) == "no open alert"


@pytest.mark.parametrize("probe", [observability.targets, observability.alerts, lambda url: observability.scraped(url, "x")])
def test_a_server_in_trouble_is_not_well(probe: Callable[[str], str]) -> None:
    """An answer alone is none."""
    with pytest.raises(requests.HTTPError, match="503"):
        answered(probe, {}, 503)


@pytest.mark.parametrize("value", ["0", None])
def test_an_exporter_is_well_when_prometheus_gets_its_metrics(value: str | None) -> None:
    """One that is down or not known is not."""
    assert answered(lambda url: observability.scraped(url, "redis-exporter"), series("1")) == "is scraped"
    with pytest.raises(RuntimeError, match="observability logs"):
        answered(lambda url: observability.scraped(url, "redis-exporter"), series(value))


@pytest.mark.parametrize(("status", "body", "words"), [
    (200, {"status": "green", "active_primary_shards": 3}, None), (200, {"status": "yellow", "active_primary_shards": 3}, None),
    (200, {"status": "red", "active_primary_shards": 3}, "its cluster is red"), (503, None, "answers 503, its cluster is unknown")])
def test_the_log_store_is_well_when_it_can_be_used(monkeypatch: pytest.MonkeyPatch, status: int, body: Any,
                                                   words: str | None) -> None:
    """One machine has no place for copies, so yellow is."""
    monkeypatch.setattr(inside, "get", lambda container, path, port: (status, json.dumps(body) if body else "no JSON"))
    if words is None:
        assert observability.search("c") == f"{body['status']}, 3 shards"
    else:
        with pytest.raises(RuntimeError, match=words):
            observability.search("c")
