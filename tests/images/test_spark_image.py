"""Spark's image: two drivers never lose a commit of each other, the code stands in it, and nothing that it does not need."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from components.files import render
from tests.images.boxes import Boxes, put, run, until

DRIVERS = Path(__file__).parent / "scripts" / "two_drivers.py"
LAYER = Path(__file__).parents[2] / "components" / "processing"
KEY = "a-key-for-this-test"
USER = "1000:1000"


def minio(boxes: Boxes, tag: str, network: str) -> None:
    """An object store with one bucket."""
    store = boxes.start(
        tag,
        ["bash", "-c", "mkdir -p /data/lake && exec minio server /data --address :9000"],
        user=USER,
        memory="512m",
        volumes={boxes.volume(): "/data"},
        network=network,
        alias="minio",
        environment={"MINIO_ROOT_USER": "lake", "MINIO_ROOT_PASSWORD": KEY, "HOME": "/tmp"},
    )
    until(lambda: run(store, "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9000")[0] == 0, "MinIO answers", store)


def spark(boxes: Boxes, tag: str, network: str | None = None) -> Container:
    """The image with the configuration that the program gives to it, waiting for commands."""
    defaults = render(
        LAYER,
        "spark-defaults.conf",
        endpoint="http://minio:9000",
        region="us-east-1",
        access_key="lake",
        secret_key=KEY,
        cluster_secret="c" * 32,
        shuffle_partitions=1,
    )
    return boxes.start(
        tag,
        ["sleep", "infinity"],
        user=USER,
        memory="2g",
        network=network,
        alias="spark",
        volumes={boxes.volume(): "/run/secrets", boxes.volume(): "/opt/spark-work"},
        files={
            "/run/secrets/spark-defaults.conf": defaults,
            "/run/secrets/log4j2.properties": render(LAYER, "log4j2.properties", service="spark"),
        },
        environment={"SPARK_CONF_DIR": "/run/secrets"},
    )


def reports(output: str) -> list[dict[str, Any]]:
    """What the two drivers said."""
    found = [json.loads(line.removeprefix("REPORT ")) for line in output.splitlines() if line.startswith("REPORT ")]
    assert len(found) == 2, output[-4000:]
    return found


def test_of_two_drivers_exactly_one_wins_each_commit(boxes: Boxes, image: Callable[[str], str]) -> None:
    """Every version is written once and by the one that thinks so; rows that both insert stand there once; and neither fails,
    not even where both make the table."""
    network = boxes.network()
    minio(boxes, image("minio"), network)
    box = spark(boxes, image("spark"), network)
    put(box, "/opt/spark-work/two_drivers.py", DRIVERS.read_text(), 1000)
    both = "python3 two_drivers.py one two & python3 two_drivers.py two one & wait"
    one, two = reports(run(box, "bash", "-c", both, environment={"PYTHONPATH": "/app"})[1])
    assert sorted(one["won"] + two["won"]) == list(range(one["versions"]))
    assert one["won"] and two["won"], "one driver won every race: they did not meet"
    assert sorted(one["written"]) == sorted(two["written"])
    assert sorted(map(len, (one["won"], two["won"]))) == sorted(one["written"].count(name) for name in ("one", "two"))
    assert one["inserted"] + two["inserted"] == one["expected"]
    assert (one["rows"], one["ids"]) == (one["expected"], one["expected"])


@pytest.mark.parametrize("module", ["applications.processing.streaming", "applications.processing.batch"])
def test_a_service_says_which_settings_it_lacks(boxes: Boxes, image: Callable[[str], str], module: str) -> None:
    """Its code is there with all that it imports, and it ends with status 2 and one message."""
    status, output = run(spark(boxes, image("spark")), "python3", "-m", module)
    assert status == 2, output
    assert "SPARK_MASTER" in output and "settings are missing or wrong" in output


def test_the_image_has_no_parts_of_spark_that_nothing_here_uses(boxes: Boxes, image: Callable[[str], str]) -> None:
    """R, examples, and the clients of Kubernetes and YARN; and the jars that it must have are there."""
    box = spark(boxes, image("spark"))
    listed = run(box, "bash", "-c", "ls $SPARK_HOME $SPARK_HOME/jars")[1].split()
    assert {"jars", "bin", "python"} <= set(listed)
    assert not {"R", "examples", "sbin"} & set(listed)
    assert [name for name in listed if name.startswith(("kubernetes-", "spark-kubernetes", "hadoop-yarn", "bundle-2"))] == []
    for needed in ("delta-spark_2.13-4.0.1.jar", "hadoop-aws-3.4.1.jar", "s3-2.29.52.jar", "spark-sql-kafka-0-10_2.13-4.0.2.jar"):
        assert needed in listed
