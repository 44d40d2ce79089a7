"""A restore changes nothing that it was not told to, and brings back only what was backed up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from minio import Minio

from components.infrastructure.tables import BUCKETS
from operations.faults import OperationError
from operations.lake import Directory, backup, restore
from operations.lake.backing_up import BUCKETS as KEPT
from operations.lake.manifest import MANIFEST, OBJECTS
from operations.lake.store import client_of
from tests.unit.operations.lakes import kept
from tests.unit.operations.s3_server import Server


@pytest.mark.parametrize("bucket", [*KEPT, "checkpoints"])
def test_a_platform_with_data_is_refused_and_left_as_it_is(server: Server, client: Minio, target: Server, tmp_path: Path,
                                                           bucket: str) -> None:
    backup(client, Directory(tmp_path / "vault"))
    target.put(bucket, "somebody", b"else")
    before = {name: target.contents(name) for name in BUCKETS}
    with pytest.raises(OperationError, match=f"the bucket {bucket} holds data already .*somebody.*--overwrite"):
        restore(client_of(target.address, "secret"), Directory(tmp_path / "vault"))
    assert {name: target.contents(name) for name in BUCKETS} == before


def test_a_platform_with_data_is_replaced_when_told(server: Server, client: Minio, tmp_path: Path) -> None:
    backup(client, Directory(tmp_path / "vault"))
    wanted, backups = kept(server), server.contents("backups")
    server.put("bronze", "later", b"1")
    server.put("silver", "labs/_delta_log/00000000000000000001.json", b"later")
    server.put("silver", "labs/event_date=2026-11-25/part-0.parquet", b"changed")
    server.put("backups", "mine", b"stays")
    result = restore(client, Directory(tmp_path / "vault"), overwrite=True)
    assert {bucket: server.contents(bucket) for bucket in KEPT} == wanted
    assert server.contents("checkpoints") == {} and server.contents("backups") == {**backups, "mine": b"stays"}
    assert result.uploaded <= 2, "what is the same already stays"


def test_a_dry_run_says_what_would_be_done_and_does_nothing(server: Server, client: Minio, tmp_path: Path) -> None:
    """How much would come and how much would go; it refuses what the restore itself would refuse."""
    backup(client, Directory(tmp_path / "vault"))
    server.buckets["bronze"].clear()
    server.put("silver", "labs/event_date=2026-11-25/part-0.parquet", b"changed")
    server.put("checkpoints", "of/another/time", b"1")
    before = {name: server.contents(name) for name in BUCKETS}
    with pytest.raises(OperationError, match="holds data already"):
        restore(client, Directory(tmp_path / "vault"), dry_run=True)
    planned = restore(client, Directory(tmp_path / "vault"), overwrite=True, dry_run=True)
    assert {name: server.contents(name) for name in BUCKETS} == before
    # Besides these two, what the lake has and no backup keeps: another checkpoint, and the hint in a table's log.
    assert planned.uploaded > 1 and planned.removed == 4
    assert restore(client, Directory(tmp_path / "vault"), overwrite=True) == planned


def damage_content(folder: Path) -> None:
    """One object with another content of the same size."""
    path = next(path for path in (folder / "objects").rglob("*") if path.is_file() and path.stat().st_size == 50)
    path.write_bytes(b"!" * 50)


def lose_object(folder: Path) -> None:
    """One object less."""
    next(path for path in (folder / "objects").rglob("*") if path.is_file()).unlink()


def change_list(folder: Path) -> None:
    """A list without its last line."""
    path = folder / OBJECTS
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def change_format(folder: Path) -> None:
    """The manifest of another program."""
    path = folder / MANIFEST
    path.write_text(json.dumps({"files": []}))


@pytest.mark.parametrize("damage, words, touched", [
    (damage_content, "its SHA-256 differs", True), (lose_object, "no longer whole: 1 of its parts", False),
    (change_list, "was changed since", False), (change_format, "no manifest", False)])
def test_a_damaged_backup_is_refused(server: Server, client: Minio, target: Server, tmp_path: Path,
                                     damage: Callable[[Path], None], words: str, touched: bool) -> None:
    summary = backup(client, Directory(tmp_path / "vault"))
    damage(tmp_path / "vault" / summary.name)
    with pytest.raises(OperationError, match=words):
        restore(client_of(target.address, "secret"), Directory(tmp_path / "vault"))
    assert not any(b"!" * 50 in target.contents(bucket).values() for bucket in KEPT)
    assert touched or not any(target.buckets.values())


def test_an_upload_that_does_not_arrive_as_it_was_sent_is_noticed(server: Server, client: Minio, target: Server, tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    backup(client, Directory(tmp_path / "vault"))
    monkeypatch.setattr("operations.lake.restoring.upload", lambda *_: "0" * 32)
    with pytest.raises(OperationError, match="did not arrive as it was sent"):
        restore(client_of(target.address, "secret"), Directory(tmp_path / "vault"))


def test_somebody_who_writes_during_a_restore_is_noticed(server: Server, client: Minio, target: Server, tmp_path: Path) -> None:
    backup(client, Directory(tmp_path / "vault"))

    def fail(method: str, path: str) -> None:
        if method == "PUT":
            target.put("gold", "by somebody", b"else")

    target.fail = fail
    with pytest.raises(OperationError, match="gold does not hold what the backup has"):
        restore(client_of(target.address, "secret"), Directory(tmp_path / "vault"))
