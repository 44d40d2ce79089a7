"""What follows what in the DAGs of the data and of retraining, and what a task does at a fork."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from applications.monitoring import champion
from applications.orchestration import connections, serving


def upstream(dag: Any, name: str) -> set[str]:
    """All that must be over before a task, directly or not."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for before in dag.get_task(waiting.pop()).upstream_task_ids - found:
            found.add(before)
            waiting.append(before)
    return found


def call(dag: Any, name: str, *arguments: Any) -> Any:
    """What the function of a task gives."""
    return dag.get_task(name).python_callable(*arguments)


def test_the_pipeline_goes_in_its_order(dags: dict[str, Any]) -> None:
    """Nothing is computed from what was not checked, nothing served before it was computed."""
    order = ["wait_for_bronze", "to_silver", "check_quality", "find_days", "to_gold", "features", "online", "note_progress"]
    for position, name in enumerate(order):
        assert upstream(dags["clinical_data_pipeline"], name) == set(order[:position]), name


def test_the_pipeline_notes_progress_only_without_a_failure(dags: dict[str, Any]) -> None:
    """A skipped `online` (no day has anything) is done, too; a failed task is not, and the next run takes its hours in."""
    dag = dags["clinical_data_pipeline"]
    assert dag.get_task("note_progress").trigger_rule == "none_failed_min_one_success"
    assert {task.task_id for task in dag.tasks if task.trigger_rule != "all_success"} == {"note_progress"}


@pytest.mark.parametrize(("version", "refused", "promote", "way"), [
    (4, [], True, "promote"), (4, [], False, "keep"), (4, ["pr_auc_above_champion"], True, "keep"),
    (None, ["auroc"], True, "keep")])
def test_judge_chooses_a_way_that_exists(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, version: int | None,
                                         refused: list[str], promote: bool, way: str) -> None:
    """A branch to a task that is not there would skip everything."""
    dag = dags["scheduled_retraining"]
    context_of(dag, monkeypatch, {"promote": promote})
    result = {"version": version, "refused": refused, "gates": [], "champion_before": 3}
    assert call(dag, "judge", result) == way and way in dag.get_task("judge").downstream_task_ids
    if way == "keep":
        assert call(dag, "keep", result)["champion"] == 3


@pytest.mark.parametrize(("kind", "found", "goes_on"), [
    ("scheduled", None, False), ("scheduled", SimpleNamespace(version="3"), True), ("manual", None, True)])
def test_a_planned_training_needs_a_champion(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, kind: str, found: Any,
                                             goes_on: bool) -> None:
    """Until then ml-training waits for the history by itself; the schedule of a new platform begins at once, and would fail."""
    dag = dags["scheduled_retraining"]
    monkeypatch.setitem(dag.get_task("is_due").python_callable.__globals__, "get_current_context",
                        lambda: {"dag_run": SimpleNamespace(run_type=kind)})
    monkeypatch.setattr(connections, "endpoint", lambda _: SimpleNamespace(url="http://mlflow"))
    monkeypatch.setattr(champion, "champion", lambda _: found)
    assert upstream(dag, "refresh_features") == {"is_due"}
    if goes_on:
        assert call(dag, "is_due")
    else:
        with pytest.raises(AirflowSkipException, match="no champion yet"):
            call(dag, "is_due")


def test_a_roll_back_follows_only_from_the_check(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from a promotion that failed, nor from a task that was killed: it would withdraw a champion that nobody replaced."""
    dag = dags["scheduled_retraining"]
    assert {task.task_id for task in dag.tasks if task.trigger_rule != "all_success"} == set()
    assert dag.get_task("roll_back").upstream_task_ids == {"verify_serving"}
    pushed = context_of(dag, monkeypatch, {"verify_minutes": 1})
    answers(monkeypatch, None)
    assert call(dag, "verify_serving", {"champion": 4}) is None and pushed == {}
    answers(monkeypatch, "version 3 serves")
    assert call(dag, "verify_serving", {"champion": 4}) == "roll_back" and pushed == {"fault": "version 3 serves"}
    assert "roll_back" in dag.get_task("verify_serving").downstream_task_ids


@pytest.mark.parametrize(("now", "words"), [
    (None, "champion again, and it serves"), ("no-champion", "champion again, no-champion")])
def test_a_run_with_a_roll_back_fails(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, now: str | None, words: str) -> None:
    """And says which versions they were, why, and whether the former one serves."""
    dag = dags["scheduled_retraining"]
    context_of(dag, monkeypatch, {"verify_minutes": 1}).update(fault="version 3 serves")
    answers(monkeypatch, now)
    with pytest.raises(AirflowFailException, match=rf"version 4 was rolled back \(version 3 serves\)\. Version 3 is {words}"):
        call(dag, "report_roll_back", {"before": 4, "champion": 3})
    assert dag.get_task("report_roll_back").retries == 0


def test_a_backfill_reports_also_what_failed(dags: dict[str, Any]) -> None:
    """The report waits for all jobs and needs none of them."""
    dag = dags["feature_backfill"]
    assert dag.get_task("report").trigger_rule == "all_done"
    assert upstream(dag, "report") == {"check_days", "backfill", "online", "parity"}


def test_a_backfill_needs_its_days(dags: dict[str, Any]) -> None:
    """There is no default: a run without them is refused by Airflow, and one with days that cannot be by the first task."""
    from airflow.sdk.exceptions import ParamValidationError
    dag = dags["feature_backfill"]
    for name in ("from", "to"):
        with pytest.raises(ParamValidationError):
            dag.params.get_param(name).resolve()


def context_of(dag: Any, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any]) -> dict[str, Any]:
    """Gives the DAG's tasks a context with these parameters; the dictionary is what they push, and what they may pull."""
    pushed: dict[str, Any] = {}

    class Instance:
        """As far as the tasks use it."""

        def xcom_push(self, key: str, value: Any) -> None:
            pushed[key] = value

        def xcom_pull(self, task_ids: str, key: str) -> Any:
            return pushed[key]
    names = dag.get_task("judge").python_callable.__globals__
    monkeypatch.setitem(names, "get_current_context", lambda: {"params": params, "ti": Instance()})
    return pushed


def answers(monkeypatch: pytest.MonkeyPatch, fault: str | None) -> None:
    """Makes model-serving serve, or not."""
    def wait(*_: Any) -> None:
        if fault is not None:
            raise serving.ServingFault(fault)
    monkeypatch.setattr(connections, "endpoint", lambda _: None)
    monkeypatch.setattr(serving, "trial_features", lambda _: {})
    monkeypatch.setattr(serving, "await_version", wait)
