"""Rule: a command changes the layer that it names and what it must change with it; data stays; and an update always mends."""

from __future__ import annotations

import os
import re
import signal
import time

import psycopg
from confluent_kafka.admin import AdminClient
from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider

from components.infrastructure.minio import ROOT_USER
from components.infrastructure.postgres import ADMIN, EXPORTER
from components.settings import layer_kinds
from operations.stack import dependents_of
from tests.e2e.command import ALL, Command
from tests.e2e.effects import of_layer, renewed, seen, volumes_of
from tests.e2e.flow import wait_until
from tests.e2e.lake import USER
from tests.e2e.markers import Markers
from tests.e2e.stack import Stack

REDIS_MB, HEAP_MB = 96, 320
INTERRUPTED = 130
UPPER = ("observability", "orchestration", "ml", "processing")
SOME = ("observability", "processing")
"""Of those, the ones that stand for all: one that nothing depends on, and one that takes others with it."""
LOWER_SERVICES = {"minio", "postgres-mlflow", "postgres-airflow", "redis", "redis-insight", "zookeeper", "kafka", "clinical-mq",
                  "clinical-data-gateway", "kafka-consumer", "kafka-producer", "clinical-data-generator", "lab-results-processor"}
"""What runs again after the stop of all: what a start does wrong it does there, and the upper layers take minutes more."""
BUCKET, TOPIC = "backups", "model-predictions"
"""What somebody removes by hand; nothing that stands in it is needed later."""


def assert_whole(stack: Stack, markers: Markers, services: set[str]) -> None:
    """These services are there and healthy, and every store holds its marker."""
    assert set(stack.containers()) == services
    # What no update touched may have been started by a test just before.
    wait_until("every service is healthy", lambda: stack.unhealthy() == {})
    assert markers.missing() == []


def test_a_changed_setting_replaces_the_containers_it_concerns(platform: Stack, markers: Markers, command: Command) -> None:
    """A new environment or file means a new container under the old name and ports; the others are left alone."""
    before = seen(platform)
    command("pulumi", "config", "set", "clinical:redisMaxMemoryMb", str(REDIS_MB))
    command("pulumi", "config", "set", "clinical:kafkaHeapMb", str(HEAP_MB))
    command("infrastructure", "start")
    new = renewed(before, seen(platform))
    assert {"redis", "kafka"} <= new <= {"redis", "kafka", "redis-insight"}
    assert f"-Xmx{HEAP_MB}m" in str(platform.containers()["kafka"].attrs["Config"]["Env"])
    assert f"maxmemory {REDIS_MB}mb" in platform.execute("redis", "cat", "/run/config/redis.conf")
    assert_whole(platform, markers, set(before.containers))


def test_every_container_can_be_replaced(platform: Stack, markers: Markers, command: Command, thorough: bool) -> None:
    """All at once, and where each layer is tried one after the other: each new container finds its name and ports free and its data
    there, and of other layers none is touched.
    """
    services = set(platform.containers())
    for layer in [ALL, *(command.running_layers() if thorough else ())]:
        before = seen(platform)
        command(layer, "start-force" if layer == ALL else "restart")
        assert renewed(before, seen(platform)) == (services if layer == ALL else of_layer(platform, layer)), layer
    assert_whole(platform, markers, services)


def test_init_makes_again_what_was_removed_by_hand(platform: Stack, markers: Markers, command: Command) -> None:
    """A bucket with its rules, a topic, a user of the lake, a role: health names what it misses and the command, and that mends."""
    services = set(platform.containers())
    remove_by_hand(platform)
    answer = command("infrastructure", "health", status=1)
    assert f"buckets are missing: {BUCKET}; `./pipeline infrastructure init`" in answer.found
    assert f"topics are missing: {TOPIC}; `./pipeline infrastructure init`" in answer.found
    command(ALL, "init")
    command("infrastructure", "health")
    command("storage", "health")
    there = Minio(f"127.0.0.1:{platform.port('minio')}", USER, platform.secrets[f"lake-{USER}"], secure=False)
    assert list(there.list_objects("bronze"))
    with as_administrator(platform) as connection:
        assert connection.execute("SELECT pg_has_role(%s, 'pg_monitor', 'member')", (EXPORTER,)).fetchone() == (True,)
    for layer in command.running_layers():
        if layer not in ("infrastructure", "storage"):
            assert "nothing is declared inside of services" in command(layer, "init").told
    assert_whole(platform, markers, services)


def remove_by_hand(platform: Stack) -> None:
    """Removes a bucket with all that is in it, a topic, a user of the lake, and a role."""
    address, credentials = f"127.0.0.1:{platform.port('minio')}", (ROOT_USER, platform.secrets["minio-root"])
    root = Minio(address, *credentials, secure=False)
    for entry in list(root.list_objects(BUCKET, recursive=True)):
        root.remove_object(BUCKET, str(entry.object_name))
    root.remove_bucket(BUCKET)
    MinioAdmin(endpoint=address, credentials=StaticProvider(*credentials), secure=False).user_remove(USER)
    broker = AdminClient({"bootstrap.servers": f"127.0.0.1:{platform.port('kafka')}"})
    broker.delete_topics([TOPIC])[TOPIC].result(30)
    with as_administrator(platform) as connection:
        connection.execute(f"DROP OWNED BY {EXPORTER}")
        connection.execute(f"DROP ROLE {EXPORTER}")


def as_administrator(platform: Stack) -> psycopg.Connection:
    """A connection to the server that has MLflow's database."""
    return psycopg.connect(host="127.0.0.1", port=platform.port("postgres-mlflow"), user=ADMIN, dbname="postgres",
                           password=platform.secrets["postgres-mlflow-admin"])


def test_build_makes_the_image_that_is_missing(platform: Stack, command: Command) -> None:
    """The image's name is gone, as after a prune; every other image is there and is left alone."""
    for layer, answer in command.each(command.running_layers(), "build").items():
        assert ("every image is there" if layer_kinds()[layer].images else "no images of its own") in answer.told, layer
    image = platform.containers()["redis"].image
    assert image is not None
    name = next(tag for tag in image.tags if "/redis:" in tag)
    platform.client.images.remove(name, force=True)
    assert f"would build {name}" in command("infrastructure", "build", "--dry-run").told
    command("infrastructure", "build")
    assert platform.client.images.get(name).id
    assert "every image is there" in command("infrastructure", "build").told


def test_stop_takes_what_depends_first_and_keeps_data(platform: Stack, markers: Markers, command: Command, thorough: bool) -> None:
    """What stops besides is said; no other container is touched, and no volume goes."""
    for layer in [name for name in (UPPER if thorough else SOME) if name in command.running_layers()]:
        before, running = seen(platform), command.running_layers()
        with_it = [other for other in dependents_of(layer) if other in running]
        gone = {service for name in (layer, *with_it) for service in of_layer(platform, name)}
        answer = command(layer, "stop")
        assert re.findall(r"^(\w+): stops first, since it depends on it", answer.told, re.MULTILINE) == with_it
        after = seen(platform)
        assert after.containers == {name: state for name, state in before.containers.items() if name not in gone}
        assert after.volumes() == before.volumes()
    assert markers.missing() == []


def test_stop_full_removes_the_data_of_its_layer_alone(platform: Stack, markers: Markers, command: Command,
                                                       thorough: bool) -> None:
    """It asks first; then the layer's volumes are gone, with those of what depends on it, and nothing else is."""
    states = platform.outputs()["layers"]
    for layer in [name for name in (UPPER if thorough else SOME) if states[name] == "stopped"]:
        before, gone = seen(platform), volumes_of(platform, layer, *dependents_of(layer))
        assert "nothing was changed; `--yes`" in command(layer, "stop-full", given="n\n", status=1).told
        assert seen(platform) == before
        command(layer, "stop-full", given="y\n")
        after = seen(platform)
        assert before.things - after.things == {f"volume {name}" for name in gone}
        assert after.containers == before.containers
    assert markers.missing() == []


def test_stopped_layers_keep_their_data_and_an_interrupted_start_goes_on(platform: Stack, markers: Markers,
                                                                         command: Command) -> None:
    """With the lowest layer all stop, and what has its data there cannot be removed; a start brings what it needs; and Ctrl-C in
    the middle of it leaves nothing that the same command stumbles over.
    """
    before = seen(platform)
    command("infrastructure", "stop")
    assert platform.containers() == {}
    stopped = seen(platform)
    assert stopped.volumes() == before.volumes()
    refused = command("storage", "stop-full", "--yes", status=1).told
    assert "storage keeps its data in infrastructure, which is stopped" in refused and "./pipeline infrastructure start" in refused
    assert seen(platform) == stopped
    with command.running("ingestion", "start") as process:
        while process.poll() is None and not platform.containers():
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        told = process.communicate()[0]
    assert process.returncode == INTERRUPTED, told
    assert "infrastructure: starts too, since it is needed" in told and "the same command goes on from here" in told
    assert len(platform.containers()) < len(LOWER_SERVICES) or platform.unhealthy()
    command("ingestion", "status", status=1)
    command("ingestion", "start")
    command("storage", "start")
    assert_whole(platform, markers, LOWER_SERVICES)


def test_killed_and_removed_containers_come_back(platform: Stack, markers: Markers, command: Command) -> None:
    """What somebody did to containers behind the program's back is what status and health say, with the command that repairs it."""
    containers = platform.containers()
    containers["kafka"].kill()
    containers["minio"].kill()
    containers["redis"].remove(force=True)
    containers["postgres-mlflow"].remove(force=True)
    answer = command("infrastructure", "status", "--json", status=1)
    rows = {row["service"]: row["state"] for row in answer.data()["infrastructure"]["services"]}
    assert {name: state for name, state in rows.items() if state != "running"} == {
        "kafka": "exited", "minio": "exited", "redis": "missing", "postgres-mlflow": "missing"}
    assert "infrastructure is degraded, wanted is running; `./pipeline infrastructure start" in answer.told
    ill = command("infrastructure", "health", status=1)
    lines = {line.split()[2]: line for line in ill.found.splitlines() if line.startswith("✗")}
    assert set(lines) == {"kafka", "minio", "redis", "postgres-mlflow"}
    assert all("no container of it runs" in line for line in lines.values())
    assert "infrastructure: 4 not well; `./pipeline infrastructure status" in ill.told
    command("infrastructure", "start")
    assert_whole(platform, markers, LOWER_SERVICES)
