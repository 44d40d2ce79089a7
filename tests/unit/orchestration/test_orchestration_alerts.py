"""Alerts: one a task that failed for good, closed by what really mends it, and never a reason to fail."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from applications.orchestration import alerts, connections
from tests.unit.orchestration.lake_fake import FakeLake

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
PLACE = "gold/alerts/clinical_data_pipeline/to_gold.json"


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> FakeLake:
    """The lake that the callbacks write to."""
    found = FakeLake()
    monkeypatch.setattr(connections, "lake", lambda: found)
    return found


def context(run: str = "scheduled__noon", after: datetime = NOON, index: int = -1, error: object = None) -> dict[str, Any]:
    """What Airflow gives to a callback, as far as it matters."""
    instance = SimpleNamespace(dag_id="clinical_data_pipeline", task_id="to_gold", run_id=run, map_index=index, try_number=3,
                               log_url="http://airflow/log")
    return {"task_instance": instance, "dag_run": SimpleNamespace(run_after=after), "exception": error}


def test_an_alert_says_what_failed_and_where_to_look(lake: FakeLake, caplog: pytest.LogCaptureFixture) -> None:
    """In the lake, and as one JSON line in the log."""
    alerts.opened(context(error=RuntimeError("gold failed: no space\nmore")))
    found = json.loads(lake.kept[PLACE])
    assert {name: found[name] for name in ("dag", "task", "run", "try", "error", "log_url")} == {
        "dag": "clinical_data_pipeline", "task": "to_gold", "run": "scheduled__noon", "try": 3, "error": "gold failed: no space",
        "log_url": "http://airflow/log"}
    assert "clear the task" in found["what_to_do"]
    assert json.loads(caplog.messages[0]) == {"event": "pipeline-alert", **found}


def test_no_patient_is_named(lake: FakeLake) -> None:
    """An error that nobody foresaw may quote what it met."""
    alerts.opened(context(error=KeyError("PT0000A1B2")))
    assert "PT0000A1B2" not in lake.kept[PLACE].decode() and "PT…" in json.loads(lake.kept[PLACE])["error"]


def test_a_task_that_was_killed_has_words_too(lake: FakeLake) -> None:
    """Airflow gives no error then."""
    alerts.opened(context())
    assert "killed" in json.loads(lake.kept[PLACE])["error"]


@pytest.mark.parametrize(("success", "open_after"), [
    (context(), False),
    (context("scheduled__later", NOON + timedelta(hours=1)), False),
    (context("backfill__before", NOON - timedelta(hours=1)), True)], ids=["same run", "newer run", "older run"])
def test_what_closes_an_alert(lake: FakeLake, success: dict[str, Any], open_after: bool) -> None:
    """The task's success in the same run or a newer one; an older run says nothing of what failed later."""
    alerts.opened(context(error=RuntimeError("x")))
    alerts.closed(success)
    assert (PLACE in lake.kept) is open_after


def test_a_sibling_of_a_mapped_task_closes_nothing(lake: FakeLake) -> None:
    """Part 0 failed: the success of part 1 in the same run leaves the alert, that of part 0 closes it."""
    alerts.opened(context(index=0, error=RuntimeError("x")))
    alerts.closed(context(index=1))
    assert PLACE in lake.kept
    alerts.closed(context(index=0))
    assert PLACE not in lake.kept


def test_a_success_without_an_alert_changes_nothing(lake: FakeLake) -> None:
    """Which is nearly every success."""
    alerts.closed(context())
    assert lake.kept == {}


def test_nothing_is_raised_while_the_lake_is_away(lake: FakeLake, caplog: pytest.LogCaptureFixture) -> None:
    """The log still has the alert, and that it could not be written."""
    lake.away = True
    with caplog.at_level(logging.ERROR):
        alerts.opened(context(error=RuntimeError("gold failed")))
        alerts.closed(context())
    assert "gold failed" in caplog.text and caplog.text.count("the lake is away") >= 2
