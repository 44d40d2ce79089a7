"""A backup is whole or it is none, and what it gives back is what it took."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from minio import Minio

from components.infrastructure.tables import BUCKETS
from operations.faults import OperationError
from operations.lake import BackupsBucket, Directory, Step, Vault, backup, restore
from operations.lake.backing_up import BUCKETS as KEPT
from operations.lake.manifest import MANIFEST, OBJECTS
from operations.lake.store import PART, client_of
from tests.unit.operations.lakes import kept
from tests.unit.operations.s3_server import Server, serving

Make = Callable[[Server, Path], Vault]
LEFT_OUT = {"checkpoints", "airflow-logs", "backups"}


def in_directory(server: Server, tmp_path: Path) -> Vault:
    """Backups in a directory."""
    return Directory(tmp_path / "vault")


def in_bucket(server: Server, tmp_path: Path) -> Vault:
    """Backups in the lake."""
    return BackupsBucket(client_of(server.address, "secret"))


VAULTS = pytest.mark.parametrize("make", [in_directory, in_bucket])


def moved(server: Server, target: Server, tmp_path: Path, make: Make) -> tuple[Vault, Minio]:
    """The vault as the new platform sees it: a directory is the same, a bucket was copied with its objects."""
    target.buckets["backups"] = dict(server.buckets["backups"])
    return make(target, tmp_path), client_of(target.address, "secret")


def test_every_bucket_is_kept_or_left_out_on_purpose() -> None:
    assert set(KEPT) | LEFT_OUT == set(BUCKETS) and not set(KEPT) & LEFT_OUT


@VAULTS
def test_everything_comes_back_into_an_empty_platform(server: Server, client: Minio, target: Server, tmp_path: Path,
                                                      make: Make) -> None:
    steps: list[Step] = []
    summary = backup(client, make(server, tmp_path), progress=steps.append)
    assert summary.buckets["bronze"].objects == 17 and summary.buckets["bronze"].bytes == 850
    assert summary.total.objects == steps[-1].done == sum(map(len, kept(server).values()))
    vault, other = moved(server, target, tmp_path, make)
    result = restore(other, vault)
    assert kept(target) == kept(server) and target.contents("checkpoints") == {}
    assert result.manifest == summary and result.uploaded == summary.total.objects
    headers = target.buckets["mlflow-artifacts"]["1/MLmodel"].headers
    assert (headers["content-type"], headers["x-amz-meta-run"]) == ("text/yaml", "7")


@VAULTS
def test_an_object_of_many_parts_comes_back(target: Server, tmp_path: Path, make: Make) -> None:
    with serving(*BUCKETS) as server:
        server.put("mlflow-artifacts", "1/model.bin", b"m" * (PART + 3))
        backup(client_of(server.address, "secret"), make(server, tmp_path))
        vault, other = moved(server, target, tmp_path, make)
    restore(other, vault)
    assert target.buckets["mlflow-artifacts"]["1/model.bin"].etag.endswith("-2")
    assert restore(other, vault).uploaded == 0, "it is known again"


@VAULTS
def test_a_backup_that_is_cut_off_is_none_and_the_next_one_goes_on(server: Server, client: Minio, tmp_path: Path,
                                                                  make: Make) -> None:
    vault, asked = make(server, tmp_path), 0

    def fail(method: str, path: str) -> tuple[int, str] | None:
        nonlocal asked
        asked += method == "GET" and path.startswith("bronze/patient")
        return (403, "AccessDenied") if asked > 9 else None

    server.fail = fail
    with pytest.raises(OperationError, match="AccessDenied"):
        backup(client, vault)
    server.fail = lambda method, path: None
    with pytest.raises(OperationError, match="no whole backup"):
        restore(client, vault)
    with pytest.raises(OperationError, match="was cut off"):
        restore(client, vault, vault.folders()[0])
    server.asked.clear()
    gone = next(iter(server.buckets["bronze"]))
    del server.buckets["bronze"][gone]
    summary = backup(client, vault)
    read = [asked for asked in server.asked if asked.startswith("GET bronze/patient")]
    assert 0 < len(read) < 12, "what was there is not copied again"
    assert vault.folders() == [summary.name]
    assert len([name for name in vault.names(summary.name) if "/objects/" in name]) == summary.total.objects
    assert summary.buckets["bronze"].objects == 16


@VAULTS
def test_the_manifest_is_written_last(server: Server, client: Minio, tmp_path: Path, make: Make,
                                      monkeypatch: pytest.MonkeyPatch) -> None:
    vault, order = make(server, tmp_path), []
    original = type(vault).put

    def put(self: Vault, name: str, path: Path) -> None:
        order.append(name.partition("/")[2])
        original(self, name, path)

    monkeypatch.setattr(type(vault), "put", put)
    backup(client, vault)
    assert order[-2:] == [OBJECTS, MANIFEST] and len(order) > 20


def test_what_is_overwritten_or_removed_during_a_backup(server: Server, client: Minio, tmp_path: Path) -> None:
    keys = list(server.buckets["bronze"])

    def fail(method: str, path: str) -> None:
        if method == "GET" and path == f"bronze/{keys[0]}":
            server.buckets["bronze"].pop(keys[-1], None)
            server.put("silver", "labs/event_date=2026-11-25/part-0.parquet", b"newer")

    server.fail = fail
    summary = backup(client, Directory(tmp_path / "vault"))
    assert summary.buckets["bronze"].objects == 16
    with serving(*BUCKETS) as target:
        restore(client_of(target.address, "secret"), Directory(tmp_path / "vault"))
        assert target.contents("silver")["labs/event_date=2026-11-25/part-0.parquet"] == b"newer"


@VAULTS
def test_a_restore_that_is_cut_off_goes_on(server: Server, client: Minio, target: Server, tmp_path: Path, make: Make) -> None:
    backup(client, make(server, tmp_path))
    vault, other = moved(server, target, tmp_path, make)
    sent = 0

    def fail(method: str, path: str) -> tuple[int, str] | None:
        nonlocal sent
        sent += method == "PUT"
        return (403, "AccessDenied") if method == "PUT" and sent > 9 else None

    target.fail = fail
    with pytest.raises(OperationError, match="AccessDenied"):
        restore(other, vault)
    assert not any("_delta_log" in key for key in target.buckets["silver"]), "no table without its files"
    target.fail = lambda method, path: None
    already = sum(len(target.buckets[bucket]) for bucket in KEPT)
    result = restore(other, vault)
    assert already >= 9 and result.uploaded == result.manifest.total.objects - already
    assert kept(target) == kept(server)


def test_the_newest_whole_backup_is_taken_unless_another_is_named(server: Server, client: Minio, tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(f"2026-11-2{day}T10-00-00Z" for day in (5, 6))
    real = __import__("datetime").datetime

    class Clock(real):  # type: ignore[misc, valid-type]
        def strftime(self, text: str) -> str:
            return next(times) if text.endswith("SZ") else super().strftime(text)

    monkeypatch.setattr("operations.lake.backing_up.datetime", Clock)
    vault = Directory(tmp_path / "vault")
    backup(client, vault)
    server.put("gold", "second", b"2")
    backup(client, vault)
    for name, there in ((None, True), ("2026-11-25T10-00-00Z", False)):
        with serving(*BUCKETS) as target:
            restore(client_of(target.address, "secret"), vault, name)
            assert ("second" in target.contents("gold")) is there
    with pytest.raises(OperationError, match=r"no backup x; whole backups: 2026-11-25T10-00-00Z, 2026-11-26T10-00-00Z"):
        restore(client, vault, "x")


def test_what_lies_beside_the_backups_is_nobodys_business(server: Server, client: Minio, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.jpg").write_bytes(b"x")
    summary = backup(client, Directory(tmp_path))
    assert summary.name != "photos" and (tmp_path / "photos/a.jpg").read_bytes() == b"x"
    assert {path.name for path in tmp_path.iterdir()} == {"photos", summary.name}
    assert (tmp_path / summary.name).stat().st_mode & 0o077 == 0, "patients' data, for its owner alone"


def test_two_backups_at_a_time_do_not_mix(server: Server, client: Minio, tmp_path: Path) -> None:
    with Directory(tmp_path).scratch(), pytest.raises(OperationError, match="another backup is being written"):
        backup(client, Directory(tmp_path))


def test_databases_are_part_of_the_backup(server: Server, client: Minio, target: Server, tmp_path: Path,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    held: dict[str, bytes] = {"mlflow": b"tables", "airflow": b"more tables"}
    servers: Any = {"mlflow": "mlflow", "airflow": "airflow"}
    monkeypatch.setattr("operations.lake.backing_up.dump", lambda container, name, path: path.write_bytes(held[container]))
    monkeypatch.setattr("operations.lake.restoring.is_empty", lambda container, name: not held[container])
    monkeypatch.setattr("operations.lake.restoring.load",
                        lambda container, name, path: held.update({container: path.read_bytes()}))
    vault, other = Directory(tmp_path / "vault"), client_of(target.address, "secret")
    summary = backup(client, vault, databases=servers)
    assert [dump.database for dump in summary.databases] == ["mlflow", "airflow"]
    with pytest.raises(OperationError, match=r"the database mlflow, airflow holds tables already"):
        restore(other, vault, databases=servers)
    assert not any(target.buckets.values())
    wanted = dict(held)
    held.update(mlflow=b"", airflow=b"")
    restore(other, vault, databases=servers)
    assert held == wanted
    (tmp_path / "vault" / summary.name / "databases/mlflow.dump").write_bytes(b"damage")
    with pytest.raises(OperationError, match=r"mlflow.dump is not what was backed up"):
        restore(other, vault, overwrite=True, databases=servers)
    assert held == wanted
