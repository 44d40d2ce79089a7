"""Every container is watched, bounded, hardened and local, and no secret stands where it can be read."""

from __future__ import annotations

import json

import pytest
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key

from components.catalog import IMAGES
from tests.unit.components.recorded import CONTAINER, NETWORK, Request, canary, platform

GRAPHS = [("dev", "build"), ("dev", "pull"), ("prod", "pull"), ("prod", "build")]
ROOT_WHEN_PULLED, ROOT = {"minio"}, {"log-shipper"}
LOG_READERS = {"log-shipper"}
"""Reads the logs of Docker's containers, where Docker keeps them."""
TASKS = {"airflow-init"}
EVERY = [(file, images, name) for file, images in GRAPHS for name in sorted(platform(file, images=images).of_type(CONTAINER))]


def container(file: str, images: str, name: str) -> Request:
    """One container of one of the platform's graphs."""
    return platform(file, images=images).of_type(CONTAINER)[name]


@pytest.mark.parametrize(("file", "images", "name"), EVERY)
def test_a_container_is_watched_bounded_and_hardened(file: str, images: str, name: str) -> None:
    """Health check, limits, rotated logs, no capability, no new privileges, a user, and a stop that waits."""
    request = container(file, images, name)
    inputs = request.inputs
    if name in TASKS:  # judged by its exit status, once
        assert inputs["attach"] and inputs["logs"] and not inputs["mustRun"] and inputs["restart"] == "no"
    else:
        assert inputs["healthcheck"]["tests"][0] == "CMD" and inputs["wait"] and inputs["waitTimeout"] > 0
        assert inputs["stopTimeout"] == inputs["destroyGraceSeconds"] > 0 and inputs["restart"] == "unless-stopped"
    assert inputs["memory"] == inputs["memorySwap"] > 0 and float(inputs["cpus"]) > 0
    assert [limit["name"] for limit in inputs["ulimits"]] == ["nproc"]
    assert inputs["logDriver"] == "json-file" and set(inputs["logOpts"]) == {"max-size", "max-file", "labels"}
    assert inputs["capabilities"] == {"drops": ["ALL"], "adds": []} or not inputs["capabilities"].get("adds")
    assert inputs["capabilities"]["drops"] == ["ALL"] and inputs["securityOpts"] == ["no-new-privileges:true"]
    assert not inputs.get("privileged")
    assert inputs["readOnly"] is (not inputs.get("uploads"))
    assert inputs["user"].split(":")[0] != "0" or name in ROOT or (images == "pull" and name in ROOT_WHEN_PULLED)
    assert request.replaces_first
    assert inputs["entrypoints"] and {label["label"] for label in inputs["labels"]} == {
        "clinical.project", "clinical.stack", "clinical.layer", "clinical.service"}


@pytest.mark.parametrize(("file", "images", "name"), EVERY)
def test_ports_are_published_on_the_loopback_address(file: str, images: str, name: str) -> None:
    """Nothing is reachable from another machine."""
    assert {port["ip"] for port in container(file, images, name).inputs.get("ports", [])} <= {"127.0.0.1"}


@pytest.mark.parametrize(("file", "images", "name"), EVERY)
def test_secrets_stand_in_secret_files_alone(file: str, images: str, name: str) -> None:
    """No generated value is in the environment, command, entrypoint, labels or an ordinary file."""
    request = container(file, images, name)
    shown = {key: value for key, value in request.inputs.items() if key != "uploads"}
    assert "canary" not in json.dumps(shown)
    for upload in request.inputs.get("uploads", []):
        secret = upload["file"].startswith("/run/secrets/")
        assert secret or "canary" not in upload["content"], upload["file"]
        assert upload["permissions"] == "0444" and "owner" not in upload


@pytest.mark.parametrize(("file", "images", "name"), EVERY)
def test_no_volume_is_anonymous(file: str, images: str, name: str) -> None:
    """Every path that an upstream image declares as a volume is mounted or in memory."""
    request = container(file, images, name)
    inputs = request.inputs
    mounted = {volume["containerPath"] for volume in inputs.get("volumes", [])}
    assert all(volume.get("volumeName") for volume in inputs.get("volumes", []) if name not in LOG_READERS)
    image = IMAGES[next(need for need in request.needs if ":RemoteImage::" in need).rpartition("::")[2].removesuffix("-image")]
    if images == "pull":
        assert set(image.anonymous) <= mounted | set(inputs["tmpfs"])


def test_the_logs_of_containers_are_read_and_nothing_else_of_the_host() -> None:
    """One service mounts one folder of the host, which it cannot change."""
    mounted = {name: (volume["hostPath"], volume["readOnly"]) for name, request in platform().of_type(CONTAINER).items()
               for volume in request.inputs.get("volumes", []) if volume.get("hostPath")}
    assert mounted == {"log-shipper": ("/var/lib/docker/containers", True)}


def test_networks_are_never_deleted_before_they_are_replaced() -> None:
    """Replacing a network in use hangs: a changed one gets a new name instead."""
    assert not any(request.replaces_first for request in platform().of_type(NETWORK).values())


def test_secret_files_are_secret_to_the_engine() -> None:
    """The content of a secret file is a secret in state and previews."""
    for request in platform(images="pull").of_type(CONTAINER).values():
        for secret in [upload for upload in request.raw["uploads"] if upload["file"].startswith("/run/secrets/")]:
            assert secret["content"][_special_sig_key] == _special_secret_sig, secret["file"]


def test_several_brokers_and_nodes_know_each_other() -> None:
    """Each of three brokers and nodes has an identity, a port and an address of its own."""
    graph = platform("prod")
    containers = graph.of_type(CONTAINER)
    for index, name in enumerate(("kafka", "kafka-2", "kafka-3")):
        text = file_of(containers[name], "/run/config/server.properties")
        assert f"broker.id={index + 1}\n" in text
        assert f"advertised.listeners=INTERNAL://{name}:29092,HOST://127.0.0.1:{9092 + index}\n" in text
        assert "zookeeper.connect=zookeeper:2181,zookeeper-2:2181,zookeeper-3:2181\n" in text
        assert "offsets.topic.replication.factor=3\n" in text and "auto.create.topics.enable=false\n" in text
    for index, name in enumerate(("zookeeper", "zookeeper-2", "zookeeper-3")):
        assert file_of(containers[name], "/var/lib/kafka/data/myid") == f"{index + 1}\n"
        assert all(f"server.{i + 1}={node}:2888:3888\n" in file_of(containers[name], "/run/config/zookeeper.properties")
                   for i, node in enumerate(("zookeeper", "zookeeper-2", "zookeeper-3")))


def test_kraft_brokers_vote_among_themselves() -> None:
    """Without ZooKeeper every broker is a controller and knows the others."""
    graph = platform("prod", kafkaMode="kraft")
    containers = graph.of_type(CONTAINER)
    assert not any(name.startswith("zookeeper") for name in containers)
    for index, name in enumerate(("kafka", "kafka-2", "kafka-3")):
        text = file_of(containers[name], "/run/config/server.properties")
        assert f"node.id={index + 1}\n" in text and "zookeeper" not in text
        assert "controller.quorum.voters=1@kafka:9093,2@kafka-2:9093,3@kafka-3:9093\n" in text
        assert "--cluster-id " in file_of(containers[name], "/run/config/start")


def file_of(request: Request, path: str) -> str:
    """The text that is uploaded to a path."""
    return next(str(upload["content"]) for upload in request.inputs["uploads"] if upload["file"] == path)


def test_redis_has_password_bound_policy_and_append_only_file() -> None:
    """The online store forgets nothing in silence."""
    request = platform(redisMaxMemoryMb="100").of_type(CONTAINER)["redis"]
    text = file_of(request, "/run/config/redis.conf")
    for line in ("include /run/secrets/redis-auth.conf", "appendonly yes", "maxmemory 100mb", "maxmemory-policy noeviction"):
        assert f"{line}\n" in text
    assert file_of(request, "/run/secrets/redis-auth.conf") == f"requirepass {canary('redis')}\n"
    assert request.inputs["memory"] > 100
