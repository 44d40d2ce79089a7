"""Parameters of the Spark jobs: what is wrong is said at once, by field, when a job is submitted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from applications.processing.batch.parameters import TABLES, TOPICS, Backfill, Compact, Gold

TODAY = datetime.now(UTC).date()
TOMORROW = TODAY + timedelta(days=1)


def faults(model: type[BaseModel], **parameters: Any) -> dict[str, str]:
    """The faulty fields and what is wrong with each."""
    with pytest.raises(ValidationError) as error:
        model.model_validate(parameters)
    return {".".join(map(str, fault["loc"])): fault["msg"] for fault in error.value.errors()}


def test_a_day_is_its_first_moment_and_a_moment_is_in_utc() -> None:
    """So that a day is from itself to the next one."""
    found = Backfill.model_validate({"from": "2025-03-30", "to": "2025-03-30T14:00:00+02:00"})
    assert (found.begin, found.end) == (datetime(2025, 3, 30, tzinfo=UTC), datetime(2025, 3, 30, 12, tzinfo=UTC))
    assert found.types == list(TOPICS)


@pytest.mark.parametrize(("parameters", "wrong"), [
    ({}, {"from": "required", "to": "required"}),
    ({"from": "2025-01-02", "to": "2025-01-02"}, {"to": "after `from`"}),
    ({"from": "2025-01-02", "to": "2025-01-01"}, {"to": "after `from`"}),
    ({"from": "2025-01-02T00:00:00", "to": "2025-02-30"}, {"from": "timezone", "to": "no day of this date"}),
    ({"from": 1700000000, "to": "2025-01-01"}, {"from": "must be a day"}),
    ({"from": "2020-01-01", "to": "2025-01-01"}, {"to": "400 days"}),
    ({"from": f"{TOMORROW + timedelta(days=1)}", "to": "2099-01-01", "types": ["patient-vitals", "vitals"], "speed": 1},
     {"from": "future", "types.1": "must be one of patient-vitals", "speed": "not permitted"}),
    ({"from": "2025-01-01", "to": "2025-01-02", "types": []}, {"types": "at least 1"}),
])
def test_a_backfill_names_every_fault(parameters: dict[str, Any], wrong: dict[str, str]) -> None:
    """All of them in one answer."""
    found = faults(Backfill, **parameters)
    assert set(found) == set(wrong)
    assert all(words in found[field] for field, words in wrong.items()), found


def test_a_backfill_may_end_later_than_now() -> None:
    """Of a day that is not over, what there is so far."""
    assert Backfill.model_validate({"from": f"{TODAY}", "to": f"{TOMORROW}"}).end.date() == TOMORROW


@pytest.mark.parametrize(("parameters", "wrong"), [
    ({"from": f"{TODAY}", "to": f"{TOMORROW}"}, {"to": "future"}),
    ({"from": "2025-01-02", "to": "2025-01-01"}, {"to": "before `from`"}),
    ({"from": "2025-13-01", "to": 20250101}, {"from": "valid date", "to": "must be a day"}),
    ({"from": "2020-01-01", "to": "2025-01-01"}, {"to": "400 days"}),
])
def test_gold_names_every_fault(parameters: dict[str, Any], wrong: dict[str, str]) -> None:
    """Days that have not been have no aggregates."""
    found = faults(Gold, **parameters)
    assert set(found) == set(wrong)
    assert all(words in found[field] for field, words in wrong.items()), found


def test_gold_takes_one_day() -> None:
    """Both ends are included."""
    found = Gold.model_validate({"from": "2025-01-02", "to": "2025-01-02"})
    assert found.begin == found.end == date(2025, 1, 2)


def test_vacuum_can_break_no_reader() -> None:
    """A retention below Delta's week is refused, whoever asks; without parameters everything is tidied safely."""
    assert faults(Compact, retention_hours=167, tables=["silver/labs"]).keys() == {"retention_hours", "tables.0"}
    assert (Compact().retention_hours, Compact().tables) == (168, list(TABLES))
