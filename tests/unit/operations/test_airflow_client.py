"""Airflow's interface as the management command uses it: what it shows, what it starts, and what it says when that fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from components.settings import Settings
from operations import airflow as client
from operations.airflow import Airflow
from operations.faults import OperationError
from operations.layers import orchestration
from operations.probes import ask
from tests.unit.components.recorded import PROJECT, STACK, configuration
from tests.unit.operations.airflow_fake import TIME, World, serving

PARTS = ("scheduler", "triggerer", "dag_processor")
HEALTHY = {"metadatabase": {"status": "healthy"},
           **{part: {"status": "healthy", f"latest_{part}_heartbeat": TIME} for part in PARTS}}


@pytest.fixture
def world() -> Iterator[World]:
    """An Airflow with two DAGs."""
    with serving() as found:
        found.dag("backup", "0 2 * * *")
        found.dag("feature_backfill", None)
        found.health = dict(HEALTHY)
        yield found


def settings(port: int) -> Settings:
    """The settings of a stack whose Airflow is on this port."""
    given: dict[str, Any] = {"ports": {"airflow-webserver": port}}
    return Settings.parse(PROJECT, STACK, configuration(**given))


@pytest.fixture
def airflow(world: World, monkeypatch: pytest.MonkeyPatch) -> Airflow:
    """The client of that Airflow, which loses no time between looks."""
    monkeypatch.setattr(client, "SHORTEST_PAUSE", 0.01)
    return Airflow(settings(world.port))


def test_dags_have_their_newest_run_and_the_next(world: World, airflow: Airflow) -> None:
    """A DAG that never ran, and one that is started by hand, are told from the others."""
    world.run_of("backup", "scheduled__1", "success")
    world.run_of("backup", "scheduled__2", "failed")
    one, two = airflow.dags()
    assert (one.id, one.schedule, one.last_state) == ("backup", "0 2 * * *", "failed")
    assert one.last_time == one.next_time == datetime(2026, 11, 25, 10, tzinfo=UTC)
    assert (two.id, two.schedule, two.last_state, two.last_time) == ("feature_backfill", None, None, None)


def test_lists_longer_than_a_page_are_whole(world: World, airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page is asked for, none twice."""
    monkeypatch.setattr(client, "PAGE", 2)
    for number in range(3):
        world.dag(f"more_{number}")
    assert [dag.id for dag in airflow.dags()] == ["backup", "feature_backfill", "more_0", "more_1", "more_2"]


def test_one_login_serves_many_questions_and_an_expired_token_is_renewed(world: World, airflow: Airflow) -> None:
    """A login costs Airflow a tenth of a second of a processor."""
    airflow.dags()
    airflow.dags()
    assert world.logins == 1
    world.valid.clear()
    assert len(airflow.dags()) == 2
    assert world.logins == 2


def test_a_run_is_started_with_its_parameters(world: World, airflow: Airflow) -> None:
    """The logical date is left to Airflow, so that two runs by hand never meet."""
    run = airflow.trigger("backup", {"from": "2026-11-01"}, note="because")
    assert (run.dag, run.id, run.state, run.note, run.ended) == ("backup", "manual__1", "queued", "because", False)
    assert run.page == f"{airflow.url}/dags/backup/runs/manual__1"
    assert world.seen[-1] == ("POST", "/api/v2/dags/backup/dagRuns", {},
                              {"logical_date": None, "conf": {"from": "2026-11-01"}, "note": "because"})


def test_waiting_ends_with_the_run(world: World, airflow: Airflow) -> None:
    """A failed run has ended, too; what to make of it is the caller's business."""
    run = airflow.trigger("backup", {})
    world.states = ["queued", "running", "failed"]
    assert airflow.wait(run, seconds=60).state == "failed"
    assert world.states == ["failed"]


def test_waiting_too_long_says_where_the_run_is(world: World, airflow: Airflow) -> None:
    """The run goes on, and its page is named."""
    run = airflow.trigger("backup", {})
    world.states = ["running"]
    world.task("done", "success")
    world.task("dump", "deferred")
    world.task("later", None, begin=None)
    with pytest.raises(OperationError, match=r"manual__1 is running after 0 s, and goes on; it is at dump\. http.*/runs/manual__1"):
        airflow.wait(run, seconds=0)


def test_tasks_come_in_the_order_in_which_they_began(world: World, airflow: Airflow) -> None:
    """Those whose turn has not come are last."""
    world.task("third", None, begin=None, attempt=0)
    world.task("second", "running", begin="2026-11-25T10:00:02Z", attempt=2)
    world.task("first", "success", begin="2026-11-25T10:00:01Z")
    found = airflow.tasks(airflow.trigger("backup", {}))
    assert [(task.id, task.state, task.attempt) for task in found] == [
        ("first", "success", 1), ("second", "running", 2), ("third", None, 1)]


def test_a_log_is_lines_with_errors_by_their_words(world: World, airflow: Airflow) -> None:
    """The newest attempt is asked for; marks that only a page can fold are left out."""
    world.lines = [{"event": "::group::Pre Execute"}, {"event": "begins", "timestamp": TIME, "level": "info"},
                   "a line without form",
                   {"event": "Task failed", "timestamp": TIME, "level": "error",
                    "error_detail": [{"exc_type": "AirflowException", "exc_value": "the disk is full"}]}]
    world.task("dump", "failed", attempt=3)
    run = airflow.trigger("backup", {})
    assert airflow.log(run, airflow.tasks(run)[0]).splitlines() == [
        f"{TIME} INFO begins", "a line without form", f"{TIME} ERROR Task failed AirflowException: the disk is full"]
    assert world.seen[-1][1] == "/api/v2/dags/backup/dagRuns/manual__1/taskInstances/dump/logs/3"


def test_a_backfill_starts_what_is_missing(world: World, airflow: Airflow) -> None:
    """Runs of the schedule itself are none of it."""
    world.run_of("backup", "scheduled__1")
    begin, end = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
    assert [run.id for run in airflow.backfill("backup", begin, end)] == ["backfill__1"]
    bodies = [body for _, path, _, body in world.seen if path == "/api/v2/backfills"]
    assert bodies == [{"dag_id": "backup", "from_date": "2026-11-01T00:00:00+00:00", "to_date": "2026-11-02T00:00:00+00:00",
                       "reprocess_behavior": "none"}]


def test_a_schedule_rests_and_goes_on(world: World, airflow: Airflow) -> None:
    """Nothing but the pause is changed."""
    assert airflow.pause("backup", True).paused
    assert world.seen[-2][2:] == ({"update_mask": "is_paused"}, {"is_paused": True})
    assert not airflow.pause("backup", False).paused


@pytest.mark.parametrize(("status", "detail", "words"), [
    (400, "Invalid input for param seed: 1 is not a text\n\nFailed validating", "param seed: 1 is not a text; http"),
    (422, [{"loc": ["body", "conf"], "msg": "must be an object"}], "conf: must be an object"),
    (409, {"reason": "Unique constraint violation"}, "Unique constraint violation")])
def test_a_refusal_says_why_and_where_parameters_are_described(
        world: World, airflow: Airflow, status: int, detail: Any, words: str) -> None:
    """Whatever form Airflow gives its reason."""
    world.refusals["/dags/backup/dagRuns"] = (status, detail)
    with pytest.raises(OperationError) as raised:
        airflow.trigger("backup", {"seed": 1})
    assert words in str(raised.value) and f"{airflow.url}/dags/backup shows the DAG and its parameters" in str(raised.value)


def test_an_unknown_dag_is_answered_with_those_that_there_are(airflow: Airflow) -> None:
    """A near miss is named."""
    with pytest.raises(OperationError, match=r"no DAG bakup; did you mean backup\? There are: backup, feature_backfill"):
        airflow.trigger("bakup", {})


def test_a_wrong_password_says_what_sets_it(world: World) -> None:
    """The password itself is in no message."""
    other = Settings.parse(PROJECT, STACK, {**configuration(ports={"airflow-webserver": world.port}), "clinical:secrets": {
        **configuration()["clinical:secrets"], "airflow-admin": "another" * 4}})
    with pytest.raises(OperationError, match="does not let admin in") as raised:
        Airflow(other).dags()
    assert "start-force" in str(raised.value) and "another" not in str(raised.value)


def test_silence_says_what_starts_airflow() -> None:
    """A port on which nobody listens."""
    with serving() as world:
        port = world.port
    with pytest.raises(OperationError, match=r"does not answer on http://127\.0\.0\.1:\d+ \(ConnectionError\).*start"):
        Airflow(settings(port)).dags()


def test_each_process_has_a_probe(world: World) -> None:
    """All four answer through the web server."""
    answers = [ask(probe) for probe in orchestration.probes(settings(world.port))]
    assert [answer.service for answer in answers] == ["airflow-webserver", "airflow-scheduler", "airflow-dag-processor",
                                                      "airflow-triggerer"]
    assert all(answer.healthy for answer in answers), answers


@pytest.mark.parametrize(("part", "service", "words"), [
    ("metadatabase", "airflow-webserver", "does not reach its database; look at `./pipeline infrastructure health`"),
    ("scheduler", "airflow-scheduler", f"its last heartbeat was at {TIME}"),
    ("triggerer", "airflow-triggerer", f"its last heartbeat was at {TIME}"),
    ("dag_processor", "airflow-dag-processor", f"its last heartbeat was at {TIME}")])
def test_a_process_that_is_gone_is_told_by_its_own_probe(world: World, part: str, service: str, words: str) -> None:
    """And by no other."""
    world.health[part] = {**world.health[part], "status": "unhealthy"}
    ill = {answer.service: answer.detail for answer in map(ask, orchestration.probes(settings(world.port))) if not answer.healthy}
    assert ill == {service: words}


def test_a_process_that_never_came_is_ill(world: World) -> None:
    """Airflow answers with nothing for it."""
    world.health["triggerer"] = {"status": None, "latest_triggerer_heartbeat": None}
    ill = [answer.detail for answer in map(ask, orchestration.probes(settings(world.port))) if not answer.healthy]
    assert ill == ["has never given a heartbeat"]


def test_a_file_of_dags_that_cannot_be_read_is_ill(world: World) -> None:
    """With its last line, which names the error."""
    world.errors = [{"filename": "backup.py", "stack_trace": 'File "backup.py", line 3\nNameError: name x is not defined\n'}]
    ill = [answer.detail for answer in map(ask, orchestration.probes(settings(world.port))) if not answer.healthy]
    assert ill == ["backup.py cannot be read: NameError: name x is not defined"]
