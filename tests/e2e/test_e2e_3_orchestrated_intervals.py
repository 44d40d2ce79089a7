"""Rule: intervals that the schedule has missed cost nothing: the next run makes up for all of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from deltalake import DeltaTable

from applications.clinical.models import INGRESS
from applications.clinical.silver import COLUMNS
from applications.orchestration.bronze import lacking, partitions
from tests.e2e.flow import LONGEST, wait_until
from tests.e2e.jobs import Jobs
from tests.e2e.lake import OPERATOR, Lake, objects, put
from tests.e2e.stack import Stack
from tests.e2e.streaming import stored
from tests.e2e.workflows import PIPELINE, PIPELINE_MINUTES, Workflows

NOTE = "pipeline/progress.json"

Tables = dict[str, tuple[int, int]]


def contents(lake: Lake) -> Tables:
    """What stands in silver and in the patient-days: rows and a sum of their hashes, by table."""
    return {**silver(lake), "gold/patient-day": lake.digest("gold/patient-day", lake.columns("gold/patient-day"))}


def silver(lake: Lake) -> Tables:
    """What stands in silver."""
    return {f"silver/{kind}": lake.digest(f"silver/{kind}", COLUMNS[kind]) for kind in INGRESS}


def remove(platform: Stack, path: str, condition: str) -> int:
    """Removes rows of a table as if nobody had written them; how many."""
    options = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{platform.port('minio')}", "AWS_ACCESS_KEY_ID": OPERATOR,
               "AWS_ALLOW_HTTP": "true", "AWS_SECRET_ACCESS_KEY": platform.secrets[f"lake-{OPERATOR}"], "AWS_REGION": "us-east-1"}
    return int(DeltaTable(f"s3://{path}", storage_options=options).delete(condition)["num_deleted_rows"])


def done_until(platform: Stack) -> datetime:
    """Up to where the pipeline says that it has done everything."""
    return datetime.fromisoformat(json.loads(objects(platform, "gold", NOTE)[NOTE])["done_until"])


@pytest.fixture(scope="module")
def lake(platform: Stack, at_rest: None) -> Lake:
    """The reader of everything, of which no more comes."""
    return Lake(platform)


def test_missed_intervals_are_caught_up_with(platform: Stack, workflows: Workflows, lake: Lake) -> None:
    """The schedule rests, and everything before three intervals is noted as done. What was received since is taken out of silver,
    and the days that it belongs to out of gold; the schedule goes on, and the tables are those that running on time gives."""
    bootstrap = f"127.0.0.1:{platform.port('kafka')}"
    wait_until("everything in Kafka stands in bronze", lambda: not lacking(partitions(bootstrap, datetime.now(UTC))))
    topics = [str(kind) for kind in INGRESS]
    wait_until("the stream has stored everything", lambda: stored(platform, topics) == lake.ends(topics))
    every = timedelta(minutes=PIPELINE_MINUTES)
    newest = lake.newest("silver/patient-vitals", "received_time")
    begin = datetime.fromtimestamp(newest.timestamp() // every.total_seconds() * every.total_seconds(), UTC) - 2 * every
    # Of every day, also those of histories that earlier tests have sent: the pipeline rested meanwhile, and makes up for them, too.
    first = min(row["event_date"] for kind in INGRESS for row in lake.table(f"silver/{kind}", ["event_date"]))
    Jobs(platform).run("gold", **{"from": first.isoformat(), "to": datetime.now(UTC).date().isoformat()})
    on_time = contents(lake)
    put(platform, "gold", NOTE, json.dumps({"done_until": begin.isoformat()}).encode())
    platform.containers()["spark-streaming"].stop(timeout=60)
    try:
        removed = {kind: remove(platform, f"silver/{kind}", f"received_time >= '{begin:%Y-%m-%dT%H:%M:%SZ}'") for kind in INGRESS}
        assert removed["patient-vitals"] > 0 and remove(platform, "gold/patient-day", f"event_date >= '{begin:%Y-%m-%d}'") > 0
        assert contents(lake) != on_time
        workflows.airflow.pause(PIPELINE, False)
        wait_until("all is done up to the newest record", lambda: done_until(platform) > newest, 2 * LONGEST)
    finally:
        platform.containers()["spark-streaming"].start()
        workflows.airflow.pause(PIPELINE, True)
    caught_up = contents(lake)
    print(f"\nremoved {removed}; {caught_up}")
    assert caught_up == on_time
