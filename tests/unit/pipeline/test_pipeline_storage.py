"""The lake's operations as commands: what they are given reaches the lake, and what could destroy data asks or refuses."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.infrastructure.tables import BUCKETS
from operations import lake
from operations.lake.backing_up import BUCKETS as KEPT
from operations.layers.storage import WRITERS
from tests.unit.operations.lakes import kept
from tests.unit.operations.s3_server import Server, serving
from tests.unit.pipeline.conftest import Command, Platform


@pytest.fixture
def server() -> Iterator[Server]:
    """A lake with something in it."""
    with serving(*BUCKETS) as found:
        found.put("gold", "features/part-0.parquet", b"gold")
        found.put("bronze", "labs/0.parquet", b"bronze")
        yield found


@pytest.fixture
def stopped(platform: Platform, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform with this lake in which nothing writes, and without databases."""
    monkeypatch.setattr(lake, "database_containers", lambda client, stack: {})
    platform(stopped=(*WRITERS, "observability"), ports={"minio": port_of(server)})


def port_of(server: Server) -> int:
    """Where the lake answers."""
    return int(server.address.rpartition(":")[2])


def test_buckets_are_counted(stopped: None, pipeline: Command) -> None:
    """Every declared one, with its objects."""
    found = {bucket["name"]: bucket for bucket in json.loads(pipeline("storage", "buckets", "--json").out)}
    assert set(found) == set(BUCKETS) and (found["gold"]["objects"], found["gold"]["bytes"]) == (1, 4)


def test_a_bucket_and_a_directory_are_made_alike(stopped: None, server: Server, pipeline: Command, tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways; a path is as seen from where the user called the command."""
    monkeypatch.setenv("PIPELINE_CALLER", str(tmp_path))
    assert pipeline("storage", "sync", "gold", "copy").status == 0
    assert (tmp_path / "copy" / "features" / "part-0.parquet").read_bytes() == b"gold"
    (tmp_path / "copy" / "new").write_bytes(b"new")
    (tmp_path / "copy" / "features" / "part-0.parquet").unlink()
    done = pipeline("storage", "sync", "gold", "copy", "--direction", "up", "--delete", "--yes", "--json")
    assert json.loads(done.out) == {"copied": 1, "bytes": 3, "alike": 0, "removed": 1}
    assert server.contents("gold") == {"new": b"new"}


@pytest.mark.parametrize("place", [[], ["vault"]])
def test_a_backup_comes_back(stopped: None, server: Server, pipeline: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                             place: list[str]) -> None:
    """From the bucket or a directory, by its name or as the newest."""
    monkeypatch.setenv("PIPELINE_CALLER", str(tmp_path))
    made = json.loads(pipeline("storage", "backup", *(["--to", *place] if place else []), "--json").out)
    before = kept(server)
    assert made["objects"] == 2 and (tmp_path / "vault").exists() is bool(place)
    for bucket in KEPT:
        server.buckets[bucket] = {}
    done = pipeline("storage", "restore", made["backup"], *(["--from", *place] if place else []), "--json")
    assert done.status == 0 and json.loads(done.out)["uploaded"] == 2
    assert kept(server) == before


def test_a_dry_run_copies_nothing(stopped: None, server: Server, pipeline: Command) -> None:
    """It says how much there is."""
    done = pipeline("storage", "backup", "--dry-run")
    assert done.status == 0 and "would copy 2 objects" in done.err
    assert not any(asked.startswith(("PUT", "POST")) for asked in server.asked)


def test_a_full_lake_is_replaced_only_when_told(stopped: None, server: Server, pipeline: Command) -> None:
    """Without --overwrite the restore refuses, and names the option."""
    pipeline("storage", "backup")
    server.put("gold", "later", b"later")
    done = pipeline("storage", "restore")
    assert done.status == 1 and "--overwrite" in done.err and "later" in server.contents("gold")
    assert pipeline("storage", "restore", "--overwrite", "--yes").status == 0
    assert "later" not in server.contents("gold")


@pytest.mark.parametrize("command", [["sync", "gold", "/nowhere", "--delete"], ["restore", "--overwrite"]])
def test_what_removes_data_asks_first(stopped: None, server: Server, pipeline: Command, monkeypatch: pytest.MonkeyPatch,
                                      command: list[str]) -> None:
    """Without a yes nothing is asked of the store."""
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    done = pipeline("storage", *command)
    assert done.status == 1 and "--yes" in done.err and server.asked == []


def test_nothing_is_restored_while_others_write(platform: Platform, server: Server, pipeline: Command) -> None:
    """They are named, with the command that stops them; nothing is asked of the store."""
    platform(ports={"minio": port_of(server)})
    done = pipeline("storage", "restore", "--overwrite", "--yes")
    assert done.status == 1 and "ingestion, processing, ml, orchestration" in done.err
    assert "`./pipeline ingestion stop --stack dev`" in done.err and server.asked == []


def test_offsets_are_forgotten_when_topics_live_on(stopped: None, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is restored, at the stack's own broker."""
    pipeline("storage", "backup")
    asked: list[str] = []
    monkeypatch.setattr(lake, "forget_offsets", asked.append)
    pipeline("storage", "restore", "--overwrite", "--yes")
    assert asked == []
    pipeline("storage", "restore", "--overwrite", "--yes", "--forget-offsets")
    assert asked == ["127.0.0.1:9092"]


def test_a_lake_that_does_not_run(platform: Platform, pipeline: Command) -> None:
    """Infrastructure holds it."""
    platform(stopped=("infrastructure", *WRITERS, "storage", "observability"))
    done = pipeline("storage", "buckets")
    assert done.status == 1 and "`./pipeline infrastructure start --stack dev`" in done.err
