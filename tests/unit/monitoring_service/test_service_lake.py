"""The lake's tables by their logs, and the champion with its drift."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from applications.clinical.models import EventType
from applications.ml.features.offline import FEATURES_SCHEMA
from applications.monitoring.findings import Check, Report, Status
from applications.monitoring.service.clients import Away
from applications.monitoring.service.lake import QUARANTINE, LakeTables
from applications.monitoring.service.model import Model, drift_facts, drift_samples
from applications.monitoring.tables import Span
from applications.monitoring.thresholds import thresholds
from tests.unit.monitoring.monitoring_world import NOW, World
from tests.unit.monitoring_service.json_server import serving
from tests.unit.monitoring_service.service_world import values

FEATURES = "gold/features/patient"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty lake."""
    return World(tmp_path)


def test_a_lake_without_tables_is_measured(world: World) -> None:
    """As a new platform is: nothing there, nothing refused."""
    found = LakeTables(world.tables, lambda: NOW).measure()
    assert values(found) == {("quarantine_records_last_hour",): 0} and found.facts == {"tables": [], "quarantine": []}


def test_rows_and_age_come_from_the_logs(world: World) -> None:
    """Of the time of receipt, and right again after each commit, also of a table that was made anew."""
    world.simulate(5).write()
    lake = LakeTables(world.tables, lambda: NOW)
    for _ in range(2):
        found = values(lake.measure())
        for kind in (EventType.PATIENT_VITALS, EventType.LAB_RESULTS):
            rows = world.rows[kind]
            assert found["lake_table_rows", f"silver/{kind}"] == len(rows)
            newest = max(row["received_time"] for row in rows).timestamp()
            assert found["lake_table_newest_timestamp_seconds", f"silver/{kind}"] == pytest.approx(newest, abs=0.002)
        for event in [row for row in world.records if row["topic"] == "patient-vitals"][:3]:
            world.send(EventType.PATIENT_VITALS, event["value"].replace(b'"event_id":"', b'"event_id":"f'), NOW)
        world.write()


def test_limits_of_age_come_with_the_table(world: World) -> None:
    """In seconds; a table that may rest has none."""
    world.simulate(5).write()
    tables = {table["name"]: table for table in LakeTables(world.tables, lambda: NOW).measure().facts["tables"]}
    limit = thresholds().quality.age_minutes["patient-vitals"]
    assert tables["silver/patient-vitals"]["failure"] == 60 * limit.failure
    assert "failure" not in tables["silver/demographics"] and "failure" not in tables[QUARANTINE]


def test_what_was_refused_in_the_last_hour_is_counted_by_reason(world: World) -> None:
    """Not what came before."""
    now = datetime.now(UTC)
    for age in (timedelta(minutes=5), timedelta(minutes=50), timedelta(minutes=70)):
        world.send(EventType.LAB_RESULTS, b"no JSON", now - age)
    world.write()
    (reason,) = {row["reason"] for row in world.refused}
    found = LakeTables(world.tables, lambda: now).measure()
    assert values(found)["quarantine_records", reason] == values(found)["quarantine_records_last_hour",] == 2
    assert found.facts["quarantine"] == [{"reason": reason, "records": 2}]


def features(world: World, cutoff: datetime, heart_rate: float) -> None:
    """Features of 300 patients at a cut-off."""
    random = np.random.default_rng(int(heart_rate))
    rows = [{"patient_id": f"PT{number:08}", "event_timestamp": cutoff, "created_timestamp": cutoff, "date": cutoff.date(),
             "heart_rate_mean_24h": heart_rate + random.normal(), "sex": "female"} for number in range(300)]
    write_deltalake(world.tables.uri(FEATURES), pa.Table.from_pylist(rows, FEATURES_SCHEMA), mode="append", partition_by=["date"])


def mlflow(trained: Span | None) -> Any:
    """An MLflow with a champion of this training window, or with none."""
    aliases = [{"alias": "champion", "version": "7"}] if trained else []
    params = {"train_first": trained.begin.isoformat(), "train_last": trained.end.isoformat()} if trained else {}
    run = {"info": {"run_id": "r", "start_time": 5000},
           "data": {"params": [{"key": key, "value": value} for key, value in params.items()],
                    "tags": [{"key": "features_version", "value": "3"}],
                    "metrics": [{"key": "auroc", "value": 0.84}, {"key": "lightgbm.auroc", "value": 0.8}]}}
    base = "GET /api/2.0/mlflow"
    return serving({f"{base}/registered-models/get": (200, {"registered_model": {"aliases": aliases}}),
                    f"{base}/model-versions/get": (200, {"model_version": {"run_id": "r"}}),
                    f"{base}/runs/get": (200, {"run": run})})


def test_the_champion_and_its_own_figures(world: World) -> None:
    """Those of the candidates that it was chosen from are not its own."""
    with mlflow(Span(NOW - timedelta(days=3), NOW)) as server:
        found = Model(server.url, world.tables).champion()
    assert values(found) == {("model_champion_present",): 1, ("model_champion_info", "7", "3"): 1,
                             ("model_champion_metric", "auroc"): 0.84}
    assert (found.facts["version"], found.facts["trained"], found.facts["figures"]) == ("7", 5.0, {"auroc": 0.84})


def test_no_champion_is_said_and_has_no_drift(world: World) -> None:
    """And an MLflow that is away is not the same as no champion."""
    with mlflow(None) as server:
        model = Model(server.url, world.tables)
        assert values(model.champion()) == {("model_champion_present",): 0}
        found = model.drift()
    assert found.samples == () and "no champion" in found.facts["words"] and found.facts["features"] == []
    with pytest.raises(Away, match="mlflow-server"):
        model.champion()


@pytest.mark.parametrize(("heart_rate", "drifted"), [(70.0, 0), (90.0, 1)])
def test_drift_of_a_feature_is_measured_on_the_tables(world: World, heart_rate: float, drifted: int) -> None:
    """Against the window that the champion was trained on."""
    features(world, NOW - timedelta(days=10), 70.0)
    features(world, NOW - timedelta(hours=3), heart_rate)
    with mlflow(Span(NOW - timedelta(days=11), NOW - timedelta(days=9))) as server:
        found = Model(server.url, world.tables, lambda: NOW).drift()
    assert values(found)["model_feature_drifted", "heart_rate_mean_24h"] == drifted
    assert (values(found)["model_feature_psi", "heart_rate_mean_24h"] > thresholds().drift.psi.failure) == bool(drifted)
    shown = {feature["name"]: feature["drifted"] for feature in found.facts["features"]}
    assert {name for name, beyond in shown.items() if beyond} == ({"heart_rate_mean_24h"} if drifted else set())


def report(share: float | None, status: Status) -> Report:
    """A report of two features, one beyond its limit, one that is not judged."""
    def check(name: str, part: str, found: Status, value: float | None) -> Check:
        return Check(name, FEATURES, found, value, 0.25, "words", "drift", part)
    checks = (check("psi", "a", Status.WARNING, 0.3), check("ks", "a", Status.OK, 0.4), check("psi", "age", Status.SKIPPED, 9.0),
              check("psi", "b", Status.WARNING, 0.2), check("drifted-share", "", status, share))
    return Report(checks, NOW - timedelta(days=1), NOW)


@pytest.mark.parametrize(("status", "alarm"), [(Status.FAILURE, 1), (Status.WARNING, 0), (Status.OK, 0)])
def test_the_model_drifts_when_the_share_fails(status: Status, alarm: int) -> None:
    """A look is called for by a warning, a training by a failure alone."""
    found = {(sample.name, *sample.labels): sample.value for sample in drift_samples(report(0.5, status))}
    assert found["model_drift",] == alarm and found["model_drifted_features_share",] == 0.5
    assert (found["model_feature_drifted", "a"], found["model_feature_drifted", "b"]) == (1, 0)
    assert ("model_feature_drifted", "age") not in found and found["model_feature_psi", "age"] == 9.0


def test_what_could_not_be_judged_is_no_calm() -> None:
    """The metric is absent, and the page says why."""
    unjudged = report(None, Status.SKIPPED)
    assert "model_drift" not in {sample.name for sample in drift_samples(unjudged)}
    facts = drift_facts(unjudged)
    assert (facts["status"], facts["words"]) == ("skipped", "words")
    assert [feature["name"] for feature in facts["features"]] == ["a", "b", "age"]
