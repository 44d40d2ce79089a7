"""The online store and the jobs: what is served is what was computed, the latest wins, and parity finds every difference."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import SecretStr, ValidationError

from applications.clinical.models import EventType
from applications.jobs.job import JobError
from applications.ml.features import definitions, work
from applications.ml.features.__main__ import KINDS
from applications.ml.features.computation import Patients
from applications.ml.features.feast_parts import RedisOnlineStore, Value
from applications.ml.features.lake import Lake
from applications.ml.features.online import OnlineFeatures, OnlineStoreError, as_values
from applications.ml.features.parameters import Backfill, Nothing, Parity
from applications.ml.features.registry import NAMES
from applications.ml.features.settings import FeatureSettings
from tests.unit.ml.features_world import ADVERSE, NOW, VITALS, Row, World, event, raw, simulated
from tests.unit.ml.redis_fake import FakeRedis

HOUR = timedelta(hours=1)


class Clock(datetime):
    """A clock that stands at NOW."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        """NOW, whatever the zone."""
        del tz
        return NOW


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeRedis:
    """What Feast takes for Redis."""
    found = FakeRedis()
    monkeypatch.setattr(RedisOnlineStore, "_get_client", lambda *_: found)
    return found


@pytest.fixture
def settings(tmp_path: Path) -> FeatureSettings:
    """Settings of the service, on a folder."""
    return FeatureSettings(service="feature-engineering", layer="ml", api_key=SecretStr("k" * 32), data=tmp_path / "data",
                           lake_user="feature-engineering", lake_secret_key=SecretStr("s"), redis_password=SecretStr("p"))


@pytest.fixture
def online(server: FakeRedis, settings: FeatureSettings) -> OnlineFeatures:
    """The online store, with nothing in it."""
    assert not server.hashes
    return OnlineFeatures(settings)


@pytest.fixture(scope="module")
def rows() -> dict[EventType, list[Row]]:
    """Two days of simulated patients, and a report by which labels of yesterday are mature."""
    return {**simulated(12, 2), ADVERSE: [event(ADVERSE, NOW - HOUR, grade=1, start_time=NOW - HOUR)]}


@pytest.fixture
def world(tmp_path: Path, rows: dict[EventType, list[Row]], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A lake of them, which the jobs take for the platform's; it is NOW."""
    found = World(tmp_path)
    found.add(rows)
    monkeypatch.setattr(Lake, "on_store", lambda _: found.lake)
    monkeypatch.setattr(work, "datetime", Clock)
    yield found


def test_what_was_written_is_read_to_the_last_digit(online: OnlineFeatures, rows: dict[EventType, list[Row]]) -> None:
    """With its cut-off, its nulls and its categories."""
    frame = Patients(raw(rows)).at(NOW)
    online.write(frame, NOW, NOW)
    found = online.read([*frame["patient_id"], "PTX0000000"])
    assert set(found) == set(frame["patient_id"]) and len(found) == 12
    for row in frame.to_dict("records"):
        snapshot = found[row["patient_id"]]
        assert snapshot.cutoff == NOW and snapshot.values == as_values(row)
    values = [value for snapshot in found.values() for value in snapshot.values.values()]
    assert None in values and {"female", "male"} & set(map(str, values)) and not any(value != value for value in values)


def test_the_latest_wins(online: OnlineFeatures, rows: dict[EventType, list[Row]]) -> None:
    """A run that was slow does not put older features in the place of newer ones."""
    patients = Patients(raw(rows))
    for hours in (1, 2, 0, 3):
        online.write(patients.at(NOW - hours * HOUR), NOW - hours * HOUR, NOW)
    for row in patients.at(NOW).to_dict("records"):
        snapshot = online.read([row["patient_id"]])[row["patient_id"]]
        assert (snapshot.cutoff, snapshot.values) == (NOW, as_values(row))


def test_a_store_that_is_away_says_so(online: OnlineFeatures, server: FakeRedis, rows: dict[EventType, list[Row]]) -> None:
    """Where it was looked for and what to look at; and it works again once the store is back."""
    server.away = True
    with pytest.raises(OnlineStoreError, match=r"Redis at redis:6379.*Connection refused.*Is it up"):
        online.read(["PTK0000003"])
    with pytest.raises(OnlineStoreError):
        online.write(Patients(raw(rows)).at(NOW), NOW, NOW)
    server.away = False
    assert online.read(["PTK0000003"]) == {}


@pytest.mark.parametrize("password", ["plain", "12345", "true", 'q"uote', "com,ma=equals", "ümlaut", "back\\slash"])
def test_any_password_reaches_redis_as_it_is(settings: FeatureSettings, password: str, tmp_path: Path) -> None:
    """Feast takes it in a text that it splits and reads as JSON."""
    access = settings.model_copy(update={"redis_password": SecretStr(password)})
    store = definitions.configuration(access, tmp_path / "registry.db").online_store
    nodes, parameters = RedisOnlineStore._parse_connection_string(store.connection_string)
    assert (nodes, parameters["password"]) == ([{"host": "redis", "port": "6379"}], password)


def test_feasts_view_is_the_registry() -> None:
    """Every feature, with its type; and the patient is the key."""
    fields = {field.name: str(field.dtype) for field in definitions.VIEW.features}
    assert set(fields) == set(NAMES)
    assert {name for name, kind in fields.items() if kind == "String"} == {"sex", "trial_arm"}
    assert definitions.VIEW.join_keys == ["patient_id"]


def test_incremental_brings_everything_up_to_now(world: World, server: FakeRedis, settings: FeatureSettings) -> None:
    """Tables and store; again, nothing is computed twice."""
    first = work.incremental(settings, Nothing())
    assert first["features"]["days"] == 3 and first["features"]["rows"] == len(world.features())
    assert first["labels"]["rows"] == len(world.labels()) > 0
    assert first["online"] == {"patients": 12, "cutoff": NOW.isoformat()} and len(server.hashes) == 12
    again = work.incremental(settings, Nothing())
    assert (again["features"], again["labels"]) == ({"days": 0, "rows": 0}, {"days": 0, "rows": 0})
    json.dumps([first, again])


def test_online_alone_writes_no_table(world: World, server: FakeRedis, settings: FeatureSettings) -> None:
    """But the next incremental run does, with all that was read meanwhile."""
    assert work.online(settings, Nothing())["patients"] == len(server.hashes) == 12
    assert world.lake.table("gold/features/patient") is None
    assert work.incremental(settings, Nothing())["features"]["days"] == 3


def test_backfill_tells_what_it_made(world: World, server: FakeRedis, settings: FeatureSettings) -> None:
    """Of its days only."""
    work.incremental(settings, Nothing())
    day = NOW.date() - timedelta(days=1)
    found = work.backfill(settings, Backfill.model_validate({"from": f"{day}", "to": f"{NOW.date()}"}))
    assert found["features"] == {"days": 1, "rows": len(world.features().query("date == @day"))}
    assert found["labels"]["days"] == 1 and server.hashes


def test_parity_holds(world: World, server: FakeRedis, settings: FeatureSettings) -> None:
    """Every value of every patient; also when silver has grown since, by events that were recorded before the cut-off."""
    work.incremental(settings, Nothing())
    expected = {"cutoff": NOW.isoformat(), "patients": 12, "compared": 12 * len(NAMES), "mismatches": {}}
    assert work.parity(settings, Parity()) == expected
    patient = world.features()["patient_id"].iloc[0]
    world.add({VITALS: [event(VITALS, NOW - timedelta(seconds=1), patient=patient, heart_rate=200.0)]})
    assert work.parity(settings, Parity()) == expected
    assert work.parity(settings, Parity(patients=5))["patients"] == 5 and len(server.hashes) == 12


@pytest.mark.parametrize("value", [Value(double_val=1.0), Value()])
def test_parity_finds_one_wrong_value(
        world: World, server: FakeRedis, settings: FeatureSettings, value: Value, monkeypatch: pytest.MonkeyPatch) -> None:
    """It compares values, not keys: one changed or lost number of one patient fails the job, and is named without patient."""
    work.incremental(settings, Nothing())
    true = RedisOnlineStore.online_read

    def tampered(self: Any, *arguments: Any) -> Any:
        found = true(self, *arguments)
        found[4][1]["spo2_min_6h"].CopyFrom(value)
        return found

    monkeypatch.setattr(RedisOnlineStore, "online_read", tampered)
    with pytest.raises(JobError, match=r"1 of 1620 values differ .*: spo2_min_6h \(1\)$") as caught:
        work.parity(settings, Parity())
    assert "PTK" not in str(caught.value) and world.data.exists() and server.hashes


def test_parity_finds_a_lost_patient(world: World, server: FakeRedis, settings: FeatureSettings) -> None:
    """Who should be online and is not."""
    work.incremental(settings, Nothing())
    server.hashes.popitem()
    with pytest.raises(JobError, match=r"the patient is not online at this cut-off\) \(1\)"):
        work.parity(settings, Parity())
    assert world.data.exists()


def test_parity_needs_something_to_compare(world: World, server: FakeRedis, settings: FeatureSettings) -> None:
    """Before the first write it fails, and does not pass over nothing."""
    with pytest.raises(JobError, match="nothing was written"):
        work.parity(settings, Parity())
    assert world.data.exists() and not server.hashes


@pytest.mark.parametrize(("given", "words"), [
    ({"from": "2026-01-02", "to": "2026-01-02"}, "must be after"), ({"from": "2026-01-01", "to": "2999-01-01"}, "future"),
    ({"from": "2020-01-01", "to": "2026-01-01"}, "at most"), ({"from": 5, "to": "2026-01-01"}, "must be a day"),
    ({"to": "2026-01-01"}, "required"), ({"from": "2026-01-01", "to": "2026-01-02", "other": 1}, "not permitted")])
def test_a_wrong_range_is_refused_when_it_is_submitted(given: dict[str, Any], words: str) -> None:
    """And says what is wrong."""
    with pytest.raises(ValidationError, match=words):
        Backfill.model_validate(given)


@pytest.mark.parametrize("hours", [5, 7, 0, 25])
def test_a_grid_that_does_not_fill_a_day_is_refused(settings: FeatureSettings, hours: int) -> None:
    """Its cut-offs would wander."""
    with pytest.raises(ValidationError):
        FeatureSettings.model_validate({**settings.model_dump(), "grid_hours": hours})


def test_every_kind_is_a_module_that_runs() -> None:
    """Each has its job's module and a sentence."""
    assert set(KINDS) == {"incremental", "backfill", "online", "parity"}
    for name, kind in KINDS.items():
        assert (Path(__file__).parents[3] / (kind.module.replace(".", "/") + ".py")).exists() and kind.what, name


def test_numbers_of_a_row_become_plain_values() -> None:
    """As the store gives them."""
    row = dict.fromkeys(NAMES, float("nan")) | {"age": 50.0, "sex": None, "trial_arm": "control"}
    found = as_values(pd.Series(row).to_dict())
    assert (found["age"], found["sex"], found["trial_arm"], found["alt_latest"]) == (50.0, None, "control", None)
