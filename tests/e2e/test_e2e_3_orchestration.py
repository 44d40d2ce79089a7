"""Rule: each DAG does its work in the stores, says what failed, and neither a killed scheduler nor a missed hour costs anything."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from applications.clinical.models import INGRESS
from applications.ingestion import producer
from applications.ml.features.registry import NAMES
from applications.ml.model.registry import Registry
from operations.airflow import Run
from tests.e2e.accounts import Accounts
from tests.e2e.airflow_pages import page, token
from tests.e2e.flow import LONGEST, crash, wait_until
from tests.e2e.lake import Lake, objects
from tests.e2e.stack import Stack
from tests.e2e.workflows import ALERT, PIPELINE, RETRAINING, Workflows, metrics

EVENTS, PREFIX = 600, "W"

TOGETHER = ("data_quality_monitoring", "model_monitoring", "feature_backfill")


@pytest.fixture(scope="module")
def lake(platform: Stack, at_rest: None) -> Lake:
    """The reader of everything."""
    return Lake(platform)


def test_the_pipeline_does_what_the_stream_left_although_its_scheduler_is_killed(
        platform: Stack, workflows: Workflows, lake: Lake) -> None:
    """While the stream stands still, records go from bronze to silver, gold, features and the online store; the scheduler's death
    in the middle costs no task a second try, and the success closes the alert that an earlier run left."""
    workflows.airflow.pause(PIPELINE, False)
    assert workflows.refused().state == "failed"
    wait_until("the alert of the failed run is open", lambda: ALERT in metrics(platform))
    workflows.airflow.pause(PIPELINE, True)
    platform.containers()["spark-streaming"].stop(timeout=60)
    begin = datetime.now(UTC) - timedelta(seconds=5)
    with tempfile.TemporaryDirectory() as folder:
        sent = producer.run(producer.ProducerSettings(
            service="e2e-orchestration", kafka_bootstrap=f"127.0.0.1:{platform.port('kafka')}", rate=100, patients=40, seed=12,
            total_events=EVENTS, patient_prefix=PREFIX, state_path=Path(folder) / "state.json", stop_seconds=LONGEST))
    end = datetime.now(UTC) + timedelta(seconds=1)
    workflows.airflow.pause(PIPELINE, False)
    run = workflows.start(PIPELINE, **{"from": begin.isoformat(), "to": end.isoformat()})
    workflows.reached(run, "to_silver", "deferred", "success")
    crash(platform, "airflow-scheduler")
    tasks = workflows.succeeded(run)
    assert tasks["to_silver"].attempt == 1
    wait_until("the alert is closed", lambda: ALERT not in metrics(platform))
    workflows.airflow.pause(PIPELINE, True)

    records = {place: record for place, record in lake.topics(map(str, INGRESS)).items()
               if begin.timestamp() <= record.timestamp / 1000 < end.timestamp()}
    wanted = {key: event for key, event in Accounts(records).valid.items() if event.patient_id.startswith(f"PT{PREFIX}")}
    assert sent.unconfirmed == 0 and len(wanted) > EVENTS * 0.9
    silver = [row["event_id"] for kind in INGRESS for row in lake.table(f"silver/{kind}", ["event_id"])]
    assert len(silver) == len(set(silver)) and wanted.keys() <= set(silver)
    patients = {event.patient_id for event in wanted.values()}
    gold = {(row["patient_id"], row["event_date"]) for row in lake.table("gold/patient-day", ["patient_id", "event_date"])}
    assert {(event.patient_id, event.event_time.astimezone(UTC).date()) for event in wanted.values()} <= gold
    serving = httpx.Client(base_url=f"http://127.0.0.1:{platform.port('model-serving')}", timeout=30,
                           headers={"X-API-Key": platform.secrets["serving-key-clinic"]})
    answers = {patient: serving.post("/v1/predict", json={"patient_id": patient}).status_code for patient in patients}
    assert set(answers.values()) <= {200, 409}, answers  # known to the online store, whatever it lacks
    platform.containers()["spark-streaming"].start()
    wait_until("the stream is healthy again", lambda: "spark-streaming" not in platform.unhealthy())


@pytest.fixture(scope="module")
def together(workflows: Workflows, platform: Stack) -> dict[str, Run]:
    """Three DAGs that do not need each other, started at once."""
    today = datetime.now(UTC).date()
    days = {"from": (today - timedelta(days=2)).isoformat(), "to": (today + timedelta(days=1)).isoformat()}
    parameters: dict[str, dict[str, Any]] = {"feature_backfill": {**days, "parity_patients": 100}}
    return {dag: workflows.start(dag, **parameters.get(dag, {})) for dag in TOGETHER}


def test_quality_is_measured_kept_and_shown(platform: Stack, workflows: Workflows, lake: Lake, together: dict[str, Run]) -> None:
    """Rows of a table, a page for those who are logged in, and metrics."""
    run = together["data_quality_monitoring"]
    workflows.succeeded(run)
    rows = [row for row in lake.table("gold/monitoring/data-quality") if row["run_id"] == run.id]
    assert {"completeness", "schema", "consistency", "freshness", "volume"} <= {row["theme"] for row in rows}
    assert {f"silver/{kind}" for kind in INGRESS} <= {row["table"] for row in rows}
    shown = page(platform, "/monitoring/reports/data-quality", token(platform))
    assert shown.status_code == 200 and "silver/lab-results" in shown.text
    assert page(platform, "/monitoring/reports/data-quality").status_code in (401, 403)
    assert "data_quality" in metrics(platform)


def test_the_model_is_watched_and_retraining_begins_when_it_must(
        platform: Stack, workflows: Workflows, lake: Lake, together: dict[str, Run]) -> None:
    """Every feature is compared with the champion's training; whether a training begins is what the findings say."""
    run = together["model_monitoring"]
    tasks = workflows.succeeded(run)
    rows = [row for row in lake.table("gold/monitoring/model") if row["run_id"] == run.id]
    assert len({row["part"] for row in rows if row["theme"] == "drift"} & set(NAMES)) > len(NAMES) / 2
    started = [found for found in workflows.airflow.runs(RETRAINING) if found.id.startswith("monitoring__")]
    # Skipped, too, where the monitoring service has started the one of this cool-down time before.
    assert tasks["start_retraining"].state in (("success", "skipped") if started else ("skipped",))
    assert tasks["no_retraining"].state == "success" or started
    workflows.airflow.pause(RETRAINING, False)
    for found in started:
        workflows.airflow.wait(found, LONGEST * 2)


def test_a_backfill_computes_features_again_and_compares_them(
        platform: Stack, workflows: Workflows, lake: Lake, together: dict[str, Run]) -> None:
    """The rows of the range are new, and equal to what the online store says of the same patients."""
    workflows.succeeded(together["feature_backfill"])
    begin = workflows.airflow.run("feature_backfill", together["feature_backfill"].id).begin
    today = datetime.now(UTC).date()
    rows = [row for row in lake.table("gold/features/patient", ["event_timestamp", "created_timestamp"])
            if row["event_timestamp"].date() >= today - timedelta(days=1)]
    assert begin is not None and rows and all(row["created_timestamp"] >= begin for row in rows)
    document = json.loads(objects(platform, "gold", "reports/feature-backfill/latest.json")["reports/feature-backfill/latest.json"])
    assert document["status"] == "ok", document


def test_a_job_that_fails_says_why_in_the_tasks_log_and_is_tried_again(
        platform: Stack, workflows: Workflows, together: dict[str, Run]) -> None:
    """The registry is away: the job's own words stand in the task's log; once it is back the run ends well, and the champion is
    what the gates say."""
    for run in together.values():
        workflows.airflow.wait(run, LONGEST * 2)
    registry = Registry(f"http://127.0.0.1:{platform.port('mlflow-server')}")
    workflows.airflow.pause(RETRAINING, False)
    before = registry.champion()
    platform.containers()["mlflow-server"].stop(timeout=60)
    try:
        run = workflows.start(RETRAINING, seed=21)
        failed = workflows.reached(run, "train", "up_for_retry", "failed")
        text = workflows.airflow.log(run, failed)
        assert failed.attempt == 1 and "mlflow" in text.lower() and "failed" in text, text
        assert "./pipeline ml logs" in text
    finally:
        platform.containers()["mlflow-server"].start()
    tasks = workflows.succeeded(run)
    assert tasks["train"].attempt > 1
    now = registry.champion()
    assert before is not None and now is not None
    promoted = tasks["promote"].state == "success"
    assert promoted is (now.number != before.number) and (tasks["keep"].state == "success") is not promoted
    served = httpx.get(f"http://127.0.0.1:{platform.port('model-serving')}/v1/model", timeout=30,
                       headers={"X-API-Key": platform.secrets["serving-key-clinic"]}).json()
    assert str(served["version"]) == str(now.number)
