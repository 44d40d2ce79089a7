"""Rule: what only one layer can do, its commands do, and say it in words and as data; what cannot be is refused with the reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from applications.ml.features.registry import NAMES
from components.infrastructure.tables import BUCKETS, TOPICS
from components.orchestration.settings import SCHEDULED
from operations.lake.manifest import MANIFEST
from tests.e2e.command import Command
from tests.e2e.effects import renewed, seen
from tests.e2e.flow import wait_until
from tests.e2e.lake import objects, put
from tests.e2e.stack import Stack

RATE = 40.0


def test_the_producer_s_rate_is_read_and_changed(platform: Stack, command: Command) -> None:
    """A new rate is written into the configuration and reached; no other container is touched."""
    before = seen(platform)
    state = command("ingestion", "producer", "--json").data()
    assert state["wanted_rate"] != RATE and state["sent"] > 0
    assert "producerRate: input should be greater than 0" in command("ingestion", "producer", "--rate", "0", status=1).told
    assert seen(platform) == before
    command("ingestion", "producer", "--rate", str(RATE))
    assert renewed(before, seen(platform)) == {"kafka-producer"}
    assert command("ingestion", "producer", "--json").data()["wanted_rate"] == RATE
    wait_until("the producer sends", lambda: command("ingestion", "producer", "--json").data()["confirmed"] > 0)


def test_topics_are_those_that_are_declared(command: Command) -> None:
    """Partitions, retention and how much there is, of each."""
    found = {row["topic"]: row for row in command("ingestion", "topics", "--json").data()}
    assert {name: row["partitions"] for name, row in found.items()} == {spec.name: spec.small for spec in TOPICS}
    assert {name: row["days"] for name, row in found.items()} == {spec.name: spec.days for spec in TOPICS}
    assert found["patient-vitals"]["records"] > 0 and all(row["in_step"] and row["lag"] >= 0 for row in found.values())


def test_buckets_and_sync(platform: Stack, command: Command, tmp_path: Path) -> None:
    """What the lake holds; a part of a bucket as a directory and back; what would be done is said without doing it."""
    put(platform, "backups", "sync/one.txt", b"one")
    put(platform, "backups", "sync/two.txt", b"two")
    found = {row["name"]: row["objects"] for row in command("storage", "buckets", "--json").data()}
    assert set(found) == set(BUCKETS) and found["bronze"] > 0 and found["backups"] >= 2
    sync = ("storage", "sync", "backups", "copy", "--prefix", "sync/", "--json")
    planned = command(*sync, "--dry-run", folder=tmp_path).data()
    assert planned["copied"] == 2 and not (tmp_path / "copy").exists()
    assert command(*sync, folder=tmp_path).data() == planned
    assert (tmp_path / "copy" / "sync" / "one.txt").read_bytes() == b"one"
    (tmp_path / "copy" / "sync" / "one.txt").unlink()
    (tmp_path / "copy" / "sync" / "three.txt").write_bytes(b"three")
    up = (*sync, "--direction", "up", "--delete")
    told = command(*up, given="n\n", status=1, folder=tmp_path).told
    assert "nothing was changed" in told and set(objects(platform, "backups", "sync/")) == {"sync/one.txt", "sync/two.txt"}
    planned = command(*up, "--dry-run", folder=tmp_path).data()
    assert (planned["copied"], planned["alike"], planned["removed"]) == (1, 1, 1)
    assert set(objects(platform, "backups", "sync/")) == {"sync/one.txt", "sync/two.txt"}
    assert command(*up, "--yes", folder=tmp_path).data() == planned
    assert objects(platform, "backups", "sync/") == {"sync/two.txt": b"two", "sync/three.txt": b"three"}


def test_a_backup_is_made_and_not_restored_over_what_runs(platform: Stack, command: Command, tmp_path: Path) -> None:
    """Into a directory, with a manifest of what it holds; while others write nothing is brought back."""
    made = command("storage", "backup", "--to", "kept", "--json", folder=tmp_path).data()
    assert made["objects"] > 0 and set(made["databases"]) == {"mlflow", "airflow"}
    manifest = json.loads((tmp_path / "kept" / made["backup"] / MANIFEST).read_text())
    assert sum(bucket["objects"] for bucket in manifest["buckets"].values()) == made["objects"]
    before = seen(platform)
    told = command("storage", "restore", "--from", "kept", "--overwrite", "--yes", status=1, folder=tmp_path).told
    assert "would write while the backup comes back" in told and "./pipeline ingestion stop" in told
    assert seen(platform) == before


def test_spark_jobs_are_listed_shown_and_ended(command: Command) -> None:
    """The latest with their state; of one its log; a job that is cancelled ends; what there is not is refused with the reason."""
    now = datetime.now(UTC)
    span = (f"from={(now - timedelta(days=2)).isoformat()}", f"to={now.isoformat()}")
    job = command("processing", "submit", "backfill", *span, "--no-wait", "--json").data()["id"]
    command("processing", "jobs", job, "--cancel")
    wait_until("the job has ended", lambda: command("processing", "jobs", job, "--json").data()["status"] == "cancelled")
    found = {row["id"]: row for row in command("processing", "jobs", "--json").data()}
    assert found[job]["status"] == "cancelled" and any(row["status"] == "succeeded" for row in found.values())
    done = next(row["id"] for row in found.values() if row["status"] == "succeeded")
    assert command("processing", "jobs", done, "--logs", "5").found.strip()
    assert "spark-batch refuses POST /jobs (422)" in command("processing", "submit", "nonsense", status=1).told
    assert "write name=value" in command("processing", "submit", "gold", "today", status=1).told


def test_models_and_features_are_listed_and_feature_jobs_run(command: Command) -> None:
    """Which version serves and what training noted of it; what each feature is; a job of features and its place in the list."""
    versions = command("ml", "models", "--json").data()
    assert [row["version"] for row in versions if "champion" in row["aliases"]]
    assert {feature["name"] for feature in command("ml", "features", "--json").data()["features"]} == set(NAMES)
    job = command("ml", "features", "online", "--json").data()
    assert job["status"] == "succeeded"
    kinds = {row["id"]: row["kind"] for row in command("ml", "jobs", "--limit", "1000", "--json").data()}
    assert kinds[job["id"]] == "online" and "train" in kinds.values()
    assert "the job promote" in command("ml", "promote", "9999", status=1).told
    assert [row["version"] for row in command("ml", "models", "--json").data() if "champion" in row["aliases"]] == [
        row["version"] for row in versions if "champion" in row["aliases"]]


def test_dags_are_listed_and_what_cannot_run_is_refused(command: Command) -> None:
    """Each with its schedule; of one its runs; a wrong name is named, with the one that was meant, and nothing begins."""
    assert {row["id"] for row in command("orchestration", "dags", "--json").data()} == {*SCHEDULED, "feature_backfill"}
    runs = command("orchestration", "dags", "backup", "--json").data()
    assert "success" in {run["state"] for run in runs}
    assert "did you mean backup?" in command("orchestration", "trigger", "backups", status=1).told
    assert command("orchestration", "dags", "backup", "--json").data() == runs
