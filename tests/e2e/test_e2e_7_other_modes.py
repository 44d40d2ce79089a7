"""Rule: images that are pulled run as those that are built do, and Kafka runs without ZooKeeper."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import docker
import psycopg
import pytest
from minio import Minio

from components.infrastructure.tables import BUCKETS, KEPT_DATABASES, LAKE_USERS
from operations.lake import Directory, backup, database_containers, restore
from operations.lake.backing_up import BUCKETS as KEPT
from operations.lake.store import client_of
from tests.e2e.conftest import NewStack
from tests.e2e.flow import wait_until
from tests.e2e.places import Place
from tests.e2e.registry import registry
from tests.e2e.stack import Stack, left

CORE = {"minio", "postgres-mlflow", "postgres-airflow", "redis", "zookeeper", "kafka"}
OURS = {"kafka-consumer", "kafka-producer", "clinical-data-generator", "lab-results-processor", "clinical-data-gateway"}
PULLED = CORE | OURS | {"clinical-mq"}


@pytest.fixture(scope="module")
def mirror(client: docker.DockerClient, platform: Stack) -> Iterator[str]:
    """A registry that stands in for every upstream one; its images are those that the platform was built with."""
    with registry(client, "clinical-mlops") as address:
        yield address


@pytest.fixture(scope="module")
def pulled(new_stack: NewStack, mirror: str) -> Iterator[Stack]:
    """The platform in pull mode, without the two pages whose images only their own registries have."""
    stack = new_stack(
        "pull",
        {
            "images": "pull",
            "registryMirror": mirror,
            "leaveOut[0]": "kafka-ui",
            "leaveOut[1]": "redis-insight",
            "layers.processing": "absent",  # has no image but ours
            "layers.ml": "absent",
            "layers.orchestration": "absent",
            "layers.observability": "absent",
        },
    )
    stack.up()
    yield stack
    stack.remove()


def test_pulled_images_make_the_same_platform(pulled: Stack, mirror: str) -> None:
    """Every service runs, healthy, from an image of the mirror, and leaves no anonymous volume."""
    containers = pulled.containers()
    assert set(containers) == PULLED
    assert pulled.unhealthy() == {}
    assert set(pulled.images_outside(f"{mirror}/")) == OURS
    mounted = {m["Name"] for c in containers.values() for m in c.attrs["Mounts"] if m["Type"] == "volume"}
    assert [name for name in mounted if not name.startswith(pulled.named(""))] == []
    assert set(pulled.outputs()["leftOut"]) == {"kafka-ui", "redis-insight"}


def test_pulled_services_are_used(pulled: Stack) -> None:
    """A record, a value, an object and a row go in and come out."""
    here, text, user = Place(pulled, None), secrets.token_hex(8), "storage-operator"
    assert (
        here.run("kafka_round_trip", bootstrap=here.joined("kafka"), topic="lab-results", text=text) == text
    )
    assert (
        here.run("redis", host="127.0.0.1", port=pulled.port("redis"), password=pulled.secrets["redis"])
        == "ok"
    )
    assert here.run("zookeeper", host="127.0.0.1", port=pulled.port("zookeeper")) == "imok"
    for spec in ("mlflow", "airflow"):
        assert (
            here.run(
                "role",
                host="127.0.0.1",
                port=pulled.port(f"postgres-{spec}"),
                user=spec,
                database=spec,
                password=pulled.secrets[f"{spec}-database"],
            )["owner"]
            == spec
        )
    root = {"lake-root": pulled.secrets["minio-root"]}
    found = here.run(
        "s3_beyond",
        endpoint=f"http://{here.joined('minio')}",
        bucket="bronze",
        users={user: pulled.secrets[f"lake-{user}"]},
    )
    assert found == {user: []} and user in LAKE_USERS
    assert all(
        "write" in may
        for may in here.run(
            "s3",
            endpoint=f"http://{here.joined('minio')}",
            users={user: pulled.secrets[f"lake-{user}"]},
            buckets=seeded(here, root),
        )[user].values()
    )


def seeded(place: Place, root: dict[str, str]) -> list[str]:
    """All buckets, each with the object that the probe reads."""
    from tests.e2e.probes import SEED, s3_client

    client = s3_client(f"http://{place.joined('minio')}", *next(iter(root.items())))
    for bucket in BUCKETS:
        client.put_object(Bucket=bucket, Key=SEED, Body=b"seed")
    return list(BUCKETS)


def lake_contents(client: Minio) -> dict[tuple[str, str], str]:
    """The content hash of every object that a backup keeps."""
    return {(bucket, str(entry.object_name)): str(entry.etag) for bucket in KEPT
            for entry in client.list_objects(bucket, recursive=True)}


def test_a_backup_brings_everything_back_after_a_destroy(pulled: Stack, tmp_path: Path) -> None:
    """The lake object by object and both databases, in a platform that is made anew; and bronze goes on where it was."""
    pulled.configure({"layers.ingestion": "stopped"})
    pulled.up()
    lake = client_of(f"127.0.0.1:{pulled.port('minio')}", pulled.secrets["lake-storage-operator"])
    for name in KEPT_DATABASES:
        with database(pulled, name.name, name.server) as connection:
            connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    before = lake_contents(lake)
    assert any(bucket == "bronze" and key.endswith(".parquet") for bucket, key in before)
    made = backup(lake, Directory(tmp_path), databases=database_containers(pulled.client, pulled.name))
    assert made.total.objects == len(before)
    pulled.destroy()
    assert left(pulled.client, pulled.name) == []
    pulled.up()
    assert lake_contents(lake) == {}
    restore(lake, Directory(tmp_path), databases=database_containers(pulled.client, pulled.name))
    assert lake_contents(lake) == before
    for name in KEPT_DATABASES:
        with database(pulled, name.name, name.server) as connection:
            assert connection.execute("SELECT count(*), sum(number) FROM kept").fetchone() == (1000, 500500)
    pulled.configure({"layers.ingestion": "running"})
    pulled.up()
    wait_until("new events reach bronze", lambda: len(lake_contents(lake)) > len(before))
    assert before.items() <= lake_contents(lake).items()
    print(f"\nrestored: {made.total.objects} objects, {made.total.bytes} bytes")


def database(stack: Stack, name: str, server: str) -> psycopg.Connection:
    """A database of the stack, as the role that owns it."""
    return psycopg.connect(host="127.0.0.1", port=stack.port(server), user=name, dbname=name,
                           password=stack.secrets[f"{name}-database"])


def test_pull_mode_is_stable_and_goes_without_a_trace(pulled: Stack) -> None:
    """A second update changes nothing, a destroy leaves nothing."""
    pulled.up("--expect-no-changes")
    pulled.destroy()
    assert left(pulled.client, pulled.name) == []


def test_kafka_runs_without_zookeeper(new_stack: NewStack, client_image: str) -> None:
    """In KRaft mode there is no ZooKeeper, both listeners work, and nothing changes the second time."""
    stack = new_stack("kraft", {"kafkaMode": "kraft", "leaveOut[0]": "redis-insight", "layers.ingestion": "absent",
                                "layers.processing": "absent", "layers.ml": "absent", "layers.orchestration": "absent",
                                "layers.observability": "absent"})
    stack.up()
    assert set(stack.containers()) == CORE - {"zookeeper"}
    assert stack.unhealthy() == {}
    for place in (Place(stack, None), Place(stack, client_image)):
        text = secrets.token_hex(8)
        assert (
            place.run("kafka_round_trip", bootstrap=place.joined("kafka"), topic="dead-letter", text=text)
            == text
        )
    stack.up("--expect-no-changes")
    stack.destroy()
    assert left(stack.client, stack.name) == []
