"""Rule: lost data is said, never papered over; and a destroy leaves nothing, whatever is gone already."""

from __future__ import annotations

import time

from docker.models.containers import Container

from tests.e2e.markers import Markers
from tests.e2e.stack import Stack, left
from tests.e2e.test_e2e_3_secrets import files_below, leaks

DATA, COPY = "/data", "/copy"
LONGEST = 180
"""Seconds; a broker on a busy machine needs a tenth of it."""
LOST_BROKER, LOST_KEEPER = "data volume of broker 1 is empty", "ZooKeeper knows no cluster"


def on_volumes(stack: Stack, service: str, command: str) -> None:
    """Runs a shell command as root with a service's data below /data and a second volume, for a copy, below /copy."""
    stack.client.containers.run(
        stack.containers()[service].attrs["Image"],
        entrypoint=["sh", "-c", command],
        user="0",
        remove=True,
        network_mode="none",
        labels={"clinical.stack": stack.name},
        volumes={stack.named(f"{service}-data"): {"bind": DATA}, copy_volume(stack): {"bind": COPY}},
    )


def copy_volume(stack: Stack) -> str:
    """A volume for copies, removed with the stack's other things."""
    name = stack.named("e2e-copy")
    stack.client.volumes.create(name, labels={"clinical.stack": stack.name})
    return name


def wait_for_log(container: Container, text: str, since: int) -> str:
    """The container's log as soon as it holds the text; the log so far once the container is healthy without it, or once
    it has had every chance to be either.
    """
    deadline = time.monotonic() + LONGEST
    while True:
        log = str(container.logs(since=since).decode(errors="replace"))
        container.reload()
        healthy = container.attrs["State"].get("Health", {}).get("Status") == "healthy"
        if text in log or healthy or time.monotonic() > deadline:
            return log
        time.sleep(0.3)


def test_a_lost_broker_volume_is_said_and_restoring_it_mends(platform: Stack, markers: Markers) -> None:
    """A broker that finds its volume empty stops and says so, and makes no new cluster; with the volume back it runs."""
    kafka = platform.containers()["kafka"]
    kafka.stop(timeout=60)
    on_volumes(platform, "kafka", f"cp -a {DATA}/. {COPY}/ && find {DATA} -mindepth 1 -delete")
    began = int(time.time())
    kafka.start()
    log = wait_for_log(kafka, LOST_BROKER, began)
    assert LOST_BROKER in log and "./pipeline infrastructure stop-full" in log
    kafka.stop(timeout=10)
    on_volumes(platform, "kafka", f"test ! -e {DATA}/meta.properties && cp -a {COPY}/. {DATA}/")
    kafka.start()
    wait_for_log(kafka, "\0", began)
    assert markers.missing() == []


def test_a_lost_zookeeper_volume_is_said(platform: Stack) -> None:
    """A broker with data whose ZooKeeper forgot the cluster stops and says so, and registers no new cluster."""
    kafka, zookeeper = platform.containers()["kafka"], platform.containers()["zookeeper"]
    kafka.stop(timeout=60)
    zookeeper.stop(timeout=20)
    on_volumes(platform, "zookeeper", f"find {DATA} -mindepth 1 ! -name myid -delete")
    zookeeper.start()
    wait_for_log(zookeeper, "\0", int(time.time()))
    began = int(time.time())
    kafka.start()
    log = wait_for_log(kafka, LOST_KEEPER, began)
    assert LOST_KEEPER in log and "./pipeline infrastructure stop-full" in log
    roots = platform.execute("zookeeper", "/opt/kafka/bin/zookeeper-shell.sh", "localhost:2181", "ls", "/")
    assert "cluster" not in roots and "brokers" not in roots


def test_destroy_leaves_nothing_although_servers_are_gone(platform: Stack) -> None:
    """Topics, databases and buckets go with their volumes: no server has to answer for the stack to be destroyed."""
    for service in ("kafka", "postgres-mlflow", "postgres-airflow", "minio"):
        platform.containers()[service].remove(force=True)
    platform.client.volumes.get(copy_volume(platform)).remove()
    platform.destroy()
    assert left(platform.client, platform.name) == []
    assert platform.state()["deployment"].get("resources", []) == []


def test_outputs_of_all_updates_show_no_secret(platform: Stack) -> None:
    """Whatever pulumi printed in this whole run."""
    printed = files_below(platform.logs)
    assert "updating" in printed.lower() or "update" in printed.lower()
    assert leaks(platform, printed) == []
