"""Rule: jobs find in bronze what the stream found in Kafka, and a job that is run again changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from applications.clinical.models import INGRESS
from applications.clinical.silver import COLUMNS
from tests.e2e.accounts import Accounts
from tests.e2e.flow import healthy, wait_until
from tests.e2e.jobs import Jobs
from tests.e2e.lake import Lake
from tests.e2e.probes import s3_client
from tests.e2e.stack import Stack

Tables = dict[str, list[str]]
QUARANTINE = ("reason", "raw", "source_topic", "source_partition", "source_offset")


def contents(lake: Lake) -> Tables:
    """What stands in silver and quarantine, in one order; which of two equal records a row came from is left out."""
    found = {kind: [{name: row[name] for name in COLUMNS[kind]} for row in lake.table(f"silver/{kind}")] for kind in INGRESS}
    rejected = [{name: row[name] for name in QUARANTINE} for row in lake.table("quarantine/events")]
    return {name: sorted(map(repr, rows)) for name, rows in {**found, "quarantine": rejected}.items()}


def range_of_today() -> dict[str, str]:
    """All that this run has received."""
    now = datetime.now(UTC)
    return {"from": (now - timedelta(days=2)).isoformat(), "to": (now + timedelta(days=1)).isoformat()}


@pytest.fixture(scope="module")
def jobs(platform: Stack) -> Jobs:
    """The endpoint of spark-batch."""
    return Jobs(platform)


@pytest.fixture(scope="module")
def streamed(platform: Stack) -> Iterator[Tables]:
    """What the stream has made of all there is, once no more comes in; the services run again afterwards."""
    quiet = ("kafka-producer", "clinical-data-generator")
    for service in quiet:
        platform.containers()[service].stop(timeout=60)
    lake = Lake(platform)
    kafka = lake.topics()
    wait_until("everything in Kafka stands in bronze", lambda: kafka.keys() <= lake.bronze()[0].keys())
    due = Accounts(lake.bronze()[0])
    wait_until("the stream has come to the end of the topics", lambda: due.settled(lake))
    platform.containers()["spark-streaming"].stop(timeout=60)
    yield contents(lake)
    for service in ("spark-streaming", *quiet):
        platform.containers()[service].start()
    wait_until("all services are healthy again", lambda: healthy(platform))


def test_a_job_makes_of_bronze_what_the_stream_made_of_kafka(platform: Stack, streamed: Tables, jobs: Jobs) -> None:
    """The tables are lost and made again from bronze: the same rows, and the same again when the job runs twice."""
    root = s3_client(f"http://127.0.0.1:{platform.port('minio')}", "storage-operator", platform.secrets["lake-storage-operator"])
    for bucket, prefix in (("silver", ""), ("quarantine", "events/")):
        for page in root.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                root.delete_object(Bucket=bucket, Key=entry["Key"])
    lake = Lake(platform)
    assert not any(contents(lake).values())
    first = jobs.run("backfill", **range_of_today())
    made = contents(lake)
    for name, rows in streamed.items():
        assert rows and made[name] == rows, name
    again = jobs.run("backfill", **range_of_today())
    assert contents(lake) == made
    assert sum(topic["accepted"] for topic in first["topics"].values()) == sum(len(made[kind]) for kind in INGRESS)
    assert sum(topic["accepted"] + topic["quarantined"] for topic in again["topics"].values()) == 0


def test_gold_counts_what_is_in_silver(platform: Stack, streamed: Tables, jobs: Jobs) -> None:
    """One row a patient and day, whose counts are those of the silver tables."""
    lake, today = Lake(platform), datetime.now(UTC).date()
    days = {"from": (today - timedelta(days=3)).isoformat(), "to": today.isoformat()}
    jobs.run("gold", **days)
    first = lake.table("gold/patient-day")
    jobs.run("gold", **days)
    gold = lake.table("gold/patient-day")
    assert sorted(map(repr, first)) == sorted(map(repr, gold))
    silver: dict[str, list[dict[str, Any]]] = {kind: lake.table(f"silver/{kind}", ["patient_id", "event_date"]) for kind in INGRESS}
    keys = {(row["patient_id"], row["event_date"]) for rows in silver.values() for row in rows}
    assert {(row["patient_id"], row["event_date"]) for row in gold} == keys and len(gold) == len(keys)
    for kind, rows in silver.items():
        assert sum(row[f"{kind.replace('-', '_')}_count"] for row in gold) == len(rows) > 0


def test_compaction_joins_files_and_changes_no_row(platform: Stack, streamed: Tables, jobs: Jobs) -> None:
    """Fewer files, the same content."""
    lake = Lake(platform)
    before = contents(lake)
    done = jobs.run("compact", days=3)
    assert set(done["tables"]) >= {f"silver/{kind}" for kind in INGRESS}
    assert contents(lake) == before


def test_the_endpoint_refuses_what_it_cannot_do(platform: Stack, jobs: Jobs) -> None:
    """No key, a wrong key, an unknown job, wrong parameters: each its own answer, with every reason."""
    base = f"http://127.0.0.1:{platform.port('spark-batch')}"
    key = {"X-API-Key": platform.secrets["spark-jobs-key"]}
    assert httpx.get(f"{base}/jobs").status_code == 401
    assert httpx.get(f"{base}/jobs", headers={"X-API-Key": "x" * 32}).status_code == 403
    assert httpx.get(f"{base}/jobs/none", headers=key).status_code == 404
    wrong = httpx.post(f"{base}/jobs", headers=key, json={"kind": "gold", "parameters": {"from": "2999-01-01", "x": 1}})
    assert wrong.status_code == 422
    assert {reason["field"] for reason in wrong.json()["reasons"]} >= {"parameters.x", "parameters.to"}
