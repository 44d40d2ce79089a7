"""The daily backup: whole or not there, replaced as a whole, and proved by a restore that compares every table."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from applications.monitoring.lake import LakeAccess
from applications.orchestration.backup import databases, making, manifest, publishing
from applications.orchestration.backup.errors import BackupError
from applications.orchestration.backup.manifest import Manifest, TableFacts
from tests.unit.operations.s3_server import Server
from tests.unit.orchestration_backup.conftest import Databases

DAY = date(2026, 11, 25)
STARTED = datetime(2026, 11, 25, 2, tzinfo=UTC)
ROWS: dict[str, dict[str, list[Any]]] = {"airflow": {"public.dag": [1, 2, 3], "public.log": []}, "mlflow": {"public.runs": [7, 8]}}


def backed_up(lake: LakeAccess, world: Databases, place: str = "one", day: date = DAY) -> Manifest:
    """A backup of both databases and of the list of bronze."""
    for name, tables in ROWS.items():
        world.put(name, tables)
    folder = f"{manifest.folder(day)}/{place}"
    dumps = [making.dump_database(lake, world.access(name), folder).model_dump(mode="json") for name in ROWS]
    index = making.index_bucket(lake, "bronze", folder).model_dump(mode="json")
    return making.finish(lake, day.isoformat(), STARTED.isoformat(), dumps, [index])


def test_a_backup_is_restored_and_compared(lake: LakeAccess, world: Databases) -> None:
    """Every table of both databases and every object of the lists, and the scratch database is empty afterwards."""
    world.put("scratch", {"public.left": [1]})
    made = backed_up(lake, world)
    assert making.verify(lake, world.access("scratch")) == {"databases": 2, "tables": 3, "rows": 5, "objects": 17,
                                                            "bytes": made.size}
    assert world.get("scratch") == {} and world.get("airflow") == ROWS["airflow"]


def test_a_table_that_does_not_come_back_is_named(lake: LakeAccess, world: Databases, server: Server) -> None:
    """A dump that lost rows is found by the facts of the moment in which it was made."""
    made = backed_up(lake, world)
    tables = {**made.databases[0].tables, "public.dag": TableFacts(rows=4, hash="12345678")}
    broken = made.model_copy(update={"databases": [made.databases[0].model_copy(update={"tables": tables}), made.databases[1]]})
    manifest.write(lake, broken)
    world.put("scratch", {})
    with pytest.raises(BackupError, match=r"of 2026-11-25 does not give the database airflow back: public\.dag: 4 rows"):
        making.verify(lake, world.access("scratch"))
    assert world.get("scratch") == {}


def test_a_changed_content_is_found(lake: LakeAccess, world: Databases, server: Server) -> None:
    """By its hash, also when the restore itself would have been content with it."""
    made = backed_up(lake, world)
    world.put("scratch", {})
    server.put("backups", made.databases[1].content.key, b'{"public.runs": [7, 9]}')
    with pytest.raises(BackupError, match=r"mlflow\.dump is not what the manifest says"):
        making.verify(lake, world.access("scratch"))


def test_a_repeated_run_replaces_the_day_at_once(lake: LakeAccess, world: Databases, server: Server) -> None:
    """Until its manifest is written the former backup is whole; afterwards nothing of the former is left."""
    first = backed_up(lake, world)
    world.put("scratch", {})
    making.dump_database(lake, world.access("airflow"), f"{manifest.folder(DAY)}/two")
    assert making.verify(lake, world.access("scratch"))["databases"] == 2 and manifest.newest(lake) == first
    second = backed_up(lake, world, "three")
    there = {f"{manifest.folder(DAY)}/{manifest.NAME}", *(content.key for content in second.contents())}
    assert set(server.buckets["backups"]) == there and manifest.days(lake) == [DAY]


def test_a_day_without_manifest_is_no_backup(lake: LakeAccess, world: Databases) -> None:
    """A run that was killed leaves parts, and the newest whole backup stays the one of the day before."""
    with pytest.raises(BackupError, match="no whole backup"):
        manifest.newest(lake)
    made = backed_up(lake, world)
    making.dump_database(lake, world.access("airflow"), f"{manifest.folder(date(2026, 11, 26))}/x")
    assert manifest.newest(lake) == made
    world.put("scratch", {})
    with pytest.raises(BackupError, match="no whole backup of 2026-11-26; there are: 2026-11-25"):
        making.verify(lake, world.access("scratch"), date(2026, 11, 26))


def test_the_list_has_every_object(lake: LakeAccess, server: Server) -> None:
    """With its bytes, ETag and time, and the same objects give the same bytes."""
    found = [making.index_bucket(lake, "bronze", place) for place in ("daily/2026-11-25/a", "daily/2026-11-25/b")]
    lines = [json.loads(line) for line in gzip.decompress(server.buckets["backups"][found[0].content.key].content).splitlines()]
    assert [line["key"] for line in lines] == sorted(server.buckets["bronze"])
    assert set(lines[0]) == {"key", "size", "etag", "modified"}
    assert (found[0].objects, found[0].bytes) == (17, sum(range(17))) and found[0].content.sha256 == found[1].content.sha256


def test_no_password_is_in_arguments_or_environment(lake: LakeAccess, world: Databases) -> None:
    """It is in a file that only this user can read, with its special characters escaped."""
    world.put("airflow", {})
    making.dump_database(lake, world.access("airflow"), "daily/2026-11-25/x")
    seen = world.seen()
    assert "pass:wo" not in json.dumps([seen["argv"], seen["environment"]])
    assert seen["mode"] == 0o600 and seen["pgpass"] == "postgres:5432:airflow:airflow:pass\\:wo\\\\rd\n"
    assert "--snapshot=00000003-1" in seen["argv"]


def test_a_tool_that_fails_is_quoted(lake: LakeAccess, world: Databases) -> None:
    """With its own last words, the database and the server; and no manifest comes of it."""
    world.put("airflow", {})
    (world.folder / "fault").write_text("pg_dump: error: out of disk space")
    with pytest.raises(BackupError, match=r"pg_dump of the database airflow at postgres ended with status 1: .*out of disk space"):
        making.dump_database(lake, world.access("airflow"), "daily/2026-11-25/x")
    assert manifest.days(lake) == []
    (world.folder / "pg_dump").unlink()
    with pytest.raises(BackupError, match="pg_dump is not installed here"):
        making.dump_database(lake, world.access("airflow"), "daily/2026-11-25/x")


def test_a_database_that_is_backed_up_is_never_emptied(lake: LakeAccess, world: Databases) -> None:
    """A connection of the scratch database that leads to a real one is refused before anything is removed."""
    backed_up(lake, world)
    with pytest.raises(BackupError, match="leads to the database airflow, which is backed up itself"):
        making.verify(lake, world.access("airflow"))
    assert world.get("airflow") == ROWS["airflow"]


def test_a_database_that_is_away_is_named() -> None:
    """With its address and role, and without its password."""
    away = databases.DatabaseAccess("127.0.0.1", 1, "mlflow", "mlflow", "never-shown")
    with pytest.raises(BackupError, match=r"mlflow at 127\.0\.0\.1:1, as mlflow: .*Does its server run") as caught:
        databases.empty(away, ())
    assert "never-shown" not in str(caught.value)


def test_a_manifest_of_another_program_is_refused(lake: LakeAccess, server: Server) -> None:
    """With what to do."""
    server.put("backups", "daily/2026-11-25/manifest.json", b'{"format": 1}')
    with pytest.raises(BackupError, match=r"is no manifest of format 1 .* run the DAG backup"):
        manifest.newest(lake)


@pytest.mark.parametrize("verified", [None, {"databases": 2, "tables": 3, "rows": 5, "objects": 17, "bytes": 9}])
def test_the_report_says_whether_a_restore_was_tried(lake: LakeAccess, world: Databases, server: Server,
                                                     verified: dict[str, int] | None) -> None:
    """A backup that nobody tried is no proof; its metric for that is then missing."""
    written = making.facts(backed_up(lake, world))
    publishing.publish_backup(lake, STARTED, STARTED, written, verified)
    found = lake.get_json("gold", "reports/backup/latest.json")
    assert found is not None and found["status"] == ("warning" if verified is None else "ok")
    names = {metric["name"] for metric in found["metrics"]}
    assert ("backup_verified_timestamp_seconds" in names) is (verified is not None) and "backup_timestamp_seconds" in names
