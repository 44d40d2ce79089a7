"""The DAGs that watch data and model, and the backup: their order, their forks, and what makes them fail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from applications.monitoring import champion, model, quality
from applications.monitoring.drift import TABLE
from applications.monitoring.findings import Check, Report, Status
from applications.orchestration import connections, windows
from applications.orchestration.dags import data_quality_monitoring as quality_dag

AT = datetime(2026, 11, 25, 12, 15, tzinfo=UTC)
WHY = "gold/features/patient: drifted-share: 50 of 131 features drifted"


def call(dag: Any, name: str, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], *arguments: Any) -> Any:
    """What the function of a task gives, in a run with these parameters."""
    function = dag.get_task(name).python_callable
    monkeypatch.setitem(function.__globals__, "get_current_context", lambda: {"params": params})
    return function(*arguments)


def test_every_theme_of_quality_has_a_task(dags: dict[str, Any]) -> None:
    """The DAG's file names them itself, for it must not import the checks; one that was forgotten would never be looked at."""
    assert set(quality_dag.THEMES) == set(quality.THEMES)
    dag = dags["data_quality_monitoring"]
    assert {task.task_id for task in dag.tasks} == {"publish", "verdict", *(f"check_{theme}" for theme in quality.THEMES)}
    assert dag.get_task("publish").upstream_task_ids == {f"check_{theme}" for theme in quality.THEMES}
    assert {dag.get_task(f"check_{theme}").pool for theme in quality.THEMES} == {"lake"}


def test_bad_data_fails_the_run_after_its_report(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict comes last, names what failed, and is not tried again: the data will be no better in a minute."""
    dag = dags["data_quality_monitoring"]
    assert dag.get_task("verdict").upstream_task_ids == {"publish"} and dag.get_task("verdict").retries == 0
    published = {"failure": 1, "page": "reports/x.html", "status": "failure",
                 "failures": ["silver/lab-results: schema: x is missing"]}
    with pytest.raises(AirflowFailException, match=r"1 checks failed.*reports/x.html") as caught:
        call(dag, "verdict", monkeypatch, {}, published)
    assert "silver/lab-results: schema: x is missing" in str(caught.value)
    assert call(dag, "verdict", monkeypatch, {}, {**published, "failure": 0, "status": "warning"}) == "warning"


@pytest.mark.parametrize(("reason", "allowed", "way"), [
    (WHY, True, "start_retraining"), (WHY, False, "no_retraining"), ("", True, "no_retraining")])
def test_a_training_is_started_when_it_must_be(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, reason: str, allowed: bool,
                                               way: str) -> None:
    """Only with a reason, and only when the run may."""
    dag = dags["model_monitoring"]
    assert call(dag, "decide", monkeypatch, {"retrain": allowed}, {"reason": reason}) == way
    assert dag.get_task("decide").downstream_task_ids == {"start_retraining", "no_retraining"}
    if way == "no_retraining":
        words = call(dag, way, monkeypatch, {"retrain": allowed}, {"reason": reason})
        assert words == (f"not allowed to (`retrain` is off): {reason}" if reason else "nothing calls for it")


def test_the_training_is_that_of_the_weekly_dag(dags: dict[str, Any]) -> None:
    """It exists and takes the reason; a run of the same stretch of time that is there is left as it is."""
    task = dags["model_monitoring"].get_task("start_retraining")
    assert task.trigger_dag_id in dags and task.skip_when_already_exists and not task.reset_dag_run
    parameters = dags[task.trigger_dag_id].params
    assert set(task.conf) <= set(parameters)
    report = Report(tuple(Check("drifted-share", TABLE, Status.FAILURE, 1, 0, "w" * 300, "drift") for _ in range(9)), AT,
                    AT + timedelta(hours=1))
    parameters.get_param("reason").resolve(value=model.reason(report))


def test_without_a_champion_the_rest_is_skipped(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform that has none yet is not broken; everything waits for that task."""
    dag = dags["model_monitoring"]
    monkeypatch.setattr(connections, "endpoint", lambda _: SimpleNamespace(url="http://mlflow"))
    monkeypatch.setattr(champion, "champion", lambda _: None)
    with pytest.raises(AirflowSkipException, match="no champion yet"):
        call(dag, "find_champion", monkeypatch, {})
    assert {task.task_id for task in dag.tasks if not task.upstream_task_ids} == {"find_champion"}
    assert {task.trigger_rule for task in dag.tasks} == {"all_success"}


def test_the_manifest_is_written_after_all_parts(dags: dict[str, Any]) -> None:
    """And a restore is tried only of a backup that is whole; the report needs no restore, but no failure either."""
    dag = dags["backup"]
    assert dag.get_task("write_manifest").upstream_task_ids == {"plan", "dump_airflow", "dump_mlflow", "list_objects"}
    assert dag.get_task("verify").upstream_task_ids == {"write_manifest"}
    assert dag.get_task("publish").upstream_task_ids == {"write_manifest", "verify"}
    assert dag.get_task("publish").trigger_rule == "none_failed"


def test_a_restore_may_be_left_out(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """That is said, and nothing is asked of the databases."""
    with pytest.raises(AirflowSkipException, match="nobody has tried to restore the backup of 2026-11-25"):
        call(dags["backup"], "verify", monkeypatch, {"verify": False}, {"day": "2026-11-25"})


@pytest.mark.parametrize(("kind", "interval", "expected"), [
    ("scheduled", AT - timedelta(hours=8), AT - timedelta(hours=8)), ("backfill", AT - timedelta(days=9), AT - timedelta(days=9)),
    ("manual", AT - timedelta(hours=3), AT), ("manual", None, AT)])
def test_a_planned_run_judges_its_own_time(kind: str, interval: datetime | None, expected: datetime) -> None:
    """One that comes late looks at the window that it is of; one by hand looks at now."""
    context = {"dag_run": SimpleNamespace(run_type=kind, run_after=AT), "data_interval_end": interval}
    assert windows.moment_of(context) == expected
