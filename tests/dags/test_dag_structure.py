"""What holds for every DAG: it is read without work, bounded, documented, and refuses parameters that cannot be."""

from __future__ import annotations

import ast
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from applications.orchestration import alerts
from applications.orchestration.intervals import Interval, of_run
from applications.orchestration.schedules import DEFAULTS
from applications.orchestration.windows import moment_of
from tests.dags.conftest import FILES
from tests.dags.diagram import PAGE, ROOT, flowchart

HEAVY = ("confluent_kafka", "deltalake", "duckdb", "minio", "numpy", "pandas", "pyarrow", "scipy")
POOLS = {"default_pool", "spark_batch", "training", "lake"}
LONGEST_TASK = timedelta(hours=6)
WRONG: dict[str, list[Any]] = {
    "integer": ["many", 1.5, [1]], "number": ["much", [1]], "boolean": ["perhaps", 3], "string": [7, ["x"], {}],
    "array": ["x", 3], "object": ["x", 3], "date": ["2026-13-01", "yesterday"],
    "date-time": ["2026-11-25T25:00:00Z", "2026-11-25T12:00:00", "yesterday"]}
"""For each type and format of a parameter, values that it cannot have."""

READ = """
import importlib, socket, sys
def refused(*_):
    raise AssertionError("a DAG file opens a connection when it is read")
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = refused
from airflow.sdk import Connection, Variable
Connection.get = Variable.get = refused
importlib.import_module(sys.argv[1])
print("heavy:", *(name for name in sys.argv[2:] if name in sys.modules))
"""


def test_the_dags_are_those_that_have_a_schedule() -> None:
    """A DAG without an entry could not be given another schedule; an entry without a DAG would schedule nothing."""
    assert {path.stem for path in FILES} == set(DEFAULTS)


def test_a_file_is_read_without_work(dag_file: Path) -> None:
    """The dag-processor reads each file again and again: no connection, no question to Airflow's database, nothing heavy."""
    module = ".".join(dag_file.relative_to(ROOT).with_suffix("").parts)
    found = subprocess.run([sys.executable, "-c", READ, module, *HEAVY], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip().splitlines()[-1] == "heavy:"


def test_a_file_is_typed(dag_file: Path) -> None:
    """mypy knows nothing of what Airflow's decorators make, so this looks for annotations itself."""
    functions = [node for node in ast.walk(ast.parse(dag_file.read_text())) if isinstance(node, ast.FunctionDef)]
    bare = [f"{node.name}({argument.arg})" for node in functions
            for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs) if argument.annotation is None]
    bare += [node.name for node in functions if node.returns is None]
    assert functions and not bare
    assert [node.name for node in functions if not node.name.startswith("_") and not ast.get_docstring(node)] == []


def test_a_dag_has_its_name_and_words(one: Any, dag_file: Path) -> None:
    """Its id is its file's name, so a log names the file; whoever looks at it in the UI reads what it does."""
    assert one.dag_id == dag_file.stem
    assert one.description and one.doc_md and one.tags
    assert all(task.task_id.replace("_", "").islower() for task in one.tasks)


def test_a_dag_runs_once_at_a_time_and_by_the_clock_of_utc(one: Any) -> None:
    """Two runs would write the same tables; a new platform begins with the latest interval; daylight saving moves nothing."""
    assert one.max_active_runs == 1 and one.catchup is False
    cron = DEFAULTS[one.dag_id]
    if cron is None:
        assert type(one.timetable).__name__ == "NullTimetable"
    else:
        assert one.timetable.expression == cron and str(one.timetable.timezone) == "UTC"


def test_every_task_is_bounded(one: Any) -> None:
    """In its time, its tries and its pauses; what fails for good raises an alert, what succeeds closes it."""
    from airflow.sdk import BaseSensorOperator
    assert one.tasks
    for task in one.tasks:
        limit = task.execution_timeout
        assert limit is not None and timedelta() < limit <= LONGEST_TASK, task.task_id
        assert 0 <= task.retries <= 3 and task.retry_delay <= timedelta(minutes=10), task.task_id
        assert task.retries == 0 or task.retry_exponential_backoff, task.task_id
        assert task.max_retry_delay is not None and task.max_retry_delay <= timedelta(hours=1), task.task_id
        assert list(_listed(task.on_failure_callback)) == [alerts.opened], task.task_id
        assert list(_listed(task.on_success_callback)) == [alerts.closed], task.task_id
        assert task.pool in POOLS, task.task_id
        assert task.owner == "clinical-mlops", task.task_id
        assert not isinstance(task, BaseSensorOperator) or (task.mode == "reschedule" and task.timeout <= 3600), task.task_id


def test_every_job_of_spark_and_of_training_has_its_pool(one: Any) -> None:
    """Both endpoints run one job at a time: without a pool two DAGs would queue there, and time out waiting."""
    for task in one.tasks:
        kwargs = {**vars(task), **getattr(task, "partial_kwargs", {})}
        expected = {"spark_batch": "spark_batch", "ml_training": "training"}.get(kwargs.get("endpoint", ""))
        assert expected is None or task.pool == expected, task.task_id


def test_every_parameter_is_explained_and_validated(one: Any) -> None:
    """A form shows title and description; a value of another type, form or size is refused before any task runs."""
    from airflow.sdk.exceptions import ParamValidationError
    for name, param in _params(one).items():
        schema = param.schema
        assert param.description and schema.get("title"), name
        types = [one for one in _listed(schema["type"]) if one != "null"]
        wrong = [value for kind in types for value in WRONG[kind]] + WRONG.get(schema.get("format", ""), [])
        wrong += [schema["minimum"] - 1] if "minimum" in schema else []
        wrong += [schema["maximum"] + 1] if "maximum" in schema else []
        wrong += ["x" * (schema["maxLength"] + 1)] if "maxLength" in schema else []
        assert wrong, name
        for value in wrong:
            with pytest.raises(ParamValidationError):
                param.resolve(value)


def test_numbers_have_bounds(one: Any) -> None:
    """A window of a million hours, or none, is no parameter."""
    for name, param in _params(one).items():
        if {"integer", "number"} & set(_listed(param.schema["type"])):
            assert {"minimum", "maximum"} <= set(param.schema), name


def test_the_picture_is_that_of_the_dag(one: Any) -> None:
    """docs/dags.md shows every DAG as it is."""
    assert flowchart(one) in PAGE.read_text(encoding="utf-8"), (
        "docs/dags.md shows another DAG: write it anew by `python -m tests.dags.diagram` with Airflow's Python")


@pytest.mark.parametrize("day", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)], ids=["spring", "autumn"])
def test_no_hour_is_lost_or_doubled_when_clocks_change(day: datetime) -> None:
    """The scheduler's own timetable of the pipeline gives 24 adjoining hours on the days on which Europe changes its clocks."""
    import pendulum
    from airflow.timetables.base import TimeRestriction
    from airflow.timetables.interval import CronDataIntervalTimetable
    timetable = CronDataIntervalTimetable(DEFAULTS["clinical_data_pipeline"], timezone="UTC")
    last, found = None, []
    for _ in range(24):
        info = timetable.next_dagrun_info(last_automated_data_interval=last,
                                          restriction=TimeRestriction(pendulum.instance(day), None, catchup=True))
        last = info.data_interval
        found.append((last.start, last.end))
    assert found == [(day + timedelta(hours=hour), day + timedelta(hours=hour + 1)) for hour in range(24)]


def _params(dag: Any) -> dict[str, Any]:
    return {name: dag.params.get_param(name) for name in dag.params}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def test_airflows_moments_give_the_intervals_of_the_standard_librarys() -> None:
    """Pendulum's lose their zone in a difference; a planned run that makes up for others, and one by hand, compute such."""
    import pendulum

    begin, end = pendulum.datetime(2026, 11, 26, 8), pendulum.datetime(2026, 11, 26, 9)
    noted = datetime(2026, 11, 26, 5, tzinfo=UTC)
    assert of_run({}, (begin, end), noted, end) == Interval(noted, datetime(2026, 11, 26, 9, tzinfo=UTC))
    by_hand = of_run({}, None, None, end)
    assert by_hand == Interval(datetime(2026, 11, 26, 8, tzinfo=UTC), datetime(2026, 11, 26, 9, tzinfo=UTC))
    run = SimpleNamespace(run_after=end, run_type="scheduled")
    moment = moment_of({"dag_run": run, "data_interval_end": end})
    assert (moment - timedelta(hours=4)).tzinfo is UTC and moment == datetime(2026, 11, 26, 9, tzinfo=UTC)
