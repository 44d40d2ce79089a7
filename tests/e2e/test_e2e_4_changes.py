"""Rule: containers come and go, by the program's hand or another's; what is stored stays, and an update always mends."""

from __future__ import annotations

import os
import signal
import time

from tests.e2e.flow import wait_until
from tests.e2e.markers import Markers
from tests.e2e.stack import Stack, left
from tests.e2e.test_e2e_1_up import SERVICES, services

REDIS_MB, HEAP_MB = 96, 320
LOWER = ("infrastructure", "storage", "ingestion")
"""The layers that run again after the stop of all: what a start does wrong it does there, and the others take minutes more."""
LOWER_SERVICES = {"minio", "postgres-mlflow", "postgres-airflow", "redis", "redis-insight", "zookeeper", "kafka", "clinical-mq",
                  "clinical-data-gateway", "kafka-consumer", "kafka-producer", "clinical-data-generator", "lab-results-processor"}


def identities(stack: Stack) -> dict[str, str]:
    """The identity of each container, by service."""
    return {service: str(container.id) for service, container in stack.containers().items()}


def assert_whole(stack: Stack, markers: Markers, wanted: set[str]) -> None:
    """These services are there and healthy, and every store holds its marker."""
    assert set(stack.containers()) == wanted
    # What no update touched may have been started by a test just before.
    wait_until("every service is healthy", lambda: stack.unhealthy() == {})
    assert markers.missing() == []


def test_a_changed_setting_replaces_the_containers_it_concerns(platform: Stack, markers: Markers) -> None:
    """A new environment or file means a new container under the old name and ports; the others are left alone."""
    before = identities(platform)
    platform.configure({"redisMaxMemoryMb": str(REDIS_MB), "kafkaHeapMb": str(HEAP_MB)})
    platform.up()
    after = identities(platform)
    assert {"redis", "kafka"} <= {service for service in SERVICES if after[service] != before[service]}
    untouched = SERVICES - {"redis", "kafka", "redis-insight"}
    assert {s: after[s] for s in untouched} == {s: before[s] for s in untouched}
    assert f"-Xmx{HEAP_MB}m" in str(platform.containers()["kafka"].attrs["Config"]["Env"])
    assert f"maxmemory {REDIS_MB}mb" in platform.execute("redis", "cat", "/run/config/redis.conf")
    assert_whole(platform, markers, services(platform))


def test_every_container_can_be_replaced(platform: Stack, markers: Markers) -> None:
    """A replacement conflicts with its predecessor neither in name nor in ports, and finds its data."""
    before = identities(platform)
    platform.up(*(part for urn in platform.container_urns().values() for part in ("--replace", urn)))
    assert set(identities(platform).values()).isdisjoint(before.values())
    assert_whole(platform, markers, services(platform))


def test_stopped_layers_keep_their_data_and_an_interrupted_start_goes_on(
    platform: Stack, markers: Markers
) -> None:
    """Stopped means no container and all data; Ctrl-C in the middle of the start that follows leaves nothing that a
    second start stumbles over.
    """
    platform.switch("stopped", [layer for layer, state in platform.outputs()["layers"].items() if state == "running"])
    platform.up()
    assert platform.containers() == {}
    assert [thing for thing in left(platform.client, platform.name) if thing.endswith("-data")]
    platform.switch("running", LOWER)
    with platform.running("up", "--yes", "--skip-preview") as (process, log):
        while process.poll() is None and not platform.containers():
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait() != 0, f"the update was over before it was interrupted; log {log}"
    assert len(platform.containers()) < len(LOWER_SERVICES) or platform.unhealthy()
    if platform.locked():
        platform.pulumi("cancel", "--yes")
    platform.up()
    assert_whole(platform, markers, LOWER_SERVICES)


def test_killed_and_removed_containers_come_back(platform: Stack, markers: Markers) -> None:
    """What somebody did to containers behind the program's back, a refresh of them finds and an update repairs."""
    containers = platform.containers()
    containers["kafka"].kill()
    containers["minio"].kill()
    containers["redis"].remove(force=True)
    containers["postgres-mlflow"].remove(force=True)
    platform.refresh(*platform.container_urns().values())
    platform.up()
    assert_whole(platform, markers, LOWER_SERVICES)
    platform.up("--expect-no-changes")
