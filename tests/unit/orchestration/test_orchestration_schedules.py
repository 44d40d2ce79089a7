"""Schedules: defaults, and what a file puts in their place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from applications.orchestration.schedules import DEFAULTS, VARIABLE, ScheduleFault, schedules


def test_the_defaults_hold_without_a_file() -> None:
    """Every DAG has one; feature_backfill is started by hand."""
    assert schedules({}) == dict(DEFAULTS) and DEFAULTS["feature_backfill"] is None


def test_a_file_replaces_single_schedules(tmp_path: Path) -> None:
    """null is by hand only; what it does not name keeps its default."""
    path = tmp_path / "schedules.json"
    path.write_text(json.dumps({"backup": None, "model_monitoring": "0 * * * *"}))
    assert schedules({VARIABLE: str(path)}) == {**DEFAULTS, "backup": None, "model_monitoring": "0 * * * *"}


@pytest.mark.parametrize(("text", "words"), [
    ("{", "is not JSON"), ("[]", "must be one JSON object"), ('{"backup": 5}', "must be one JSON object"),
    ('{"backups": "0 2 * * *"}', "there is no DAG backups; there are backup, ")])
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    """It is refused with its name: a schedule that is silently ignored would be worse."""
    path = tmp_path / "schedules.json"
    path.write_text(text)
    with pytest.raises(ScheduleFault, match=words) as caught:
        schedules({VARIABLE: str(path)})
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The variable and the path are named."""
    with pytest.raises(ScheduleFault, match=VARIABLE):
        schedules({VARIABLE: str(tmp_path / "none.json")})
