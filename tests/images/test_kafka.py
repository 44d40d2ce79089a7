"""Kafka's image carries records with and without ZooKeeper, hardened, with upstream's scripts."""

from collections.abc import Callable
from pathlib import Path

from docker.models.containers import Container

from tests.images.boxes import Boxes, run, until

KAFKA_DATA = "/var/lib/kafka/data"
TOOLS = [
    line.split()[0]
    for line in (Path(__file__).parents[2] / "images/kafka/bin/tools.txt").read_text().splitlines()
]


def zookeeper(boxes: Boxes, tag: str, network: str) -> Container:
    """One ZooKeeper node on a network."""
    config = f"dataDir={KAFKA_DATA}\nclientPort=2181\nadmin.enableServer=false\n4lw.commands.whitelist=ruok\n"
    node = boxes.start(
        tag,
        ["/opt/kafka/bin/zookeeper-server-start.sh", "/run/config/zookeeper.properties"],
        user="1000:1000",
        memory="256m",
        network=network,
        alias="zookeeper",
        environment={"KAFKA_HEAP_OPTS": "-Xms32m -Xmx64m"},
        volumes={boxes.volume(): KAFKA_DATA, boxes.volume(): "/run/config"},
        files={"/run/config/zookeeper.properties": config},
    )
    ask = (
        'exec 3<>/dev/tcp/127.0.0.1/2181; printf ruok >&3; read -r -t 2 -N 4 answer <&3; printf %s "$answer"'
    )
    until(lambda: run(node, "bash", "-c", ask)[1] == "imok", "imok", node)
    return node


def broker(boxes: Boxes, tag: str, network: str, config: str, start: str) -> Container:
    """One broker on a network; `start` is a shell command."""
    found = boxes.start(
        tag,
        ["bash", "-c", start],
        user="1000:1000",
        memory="640m",
        network=network,
        alias="kafka",
        environment={"KAFKA_HEAP_OPTS": "-Xms64m -Xmx256m", "KAFKA_OPTS": "-Dclinical.canary=1"},
        volumes={boxes.volume(): KAFKA_DATA, boxes.volume(): "/run/config"},
        files={"/run/config/server.properties": config},
    )
    until(lambda: tool(found, "kafka-topics.sh", "--list")[0] == 0, "the broker answers", found)
    return found


def tool(container: Container, name: str, *arguments: str) -> tuple[int, str]:
    """One of Kafka's tools on the broker itself."""
    return run(
        container,
        f"/opt/kafka/bin/{name}",
        "--bootstrap-server",
        "localhost:29092",
        *arguments,
        environment={"KAFKA_HEAP_OPTS": "-Xmx128m"},
    )


def carries_records(container: Container) -> None:
    """Produces with acks=all and consumes what was produced."""
    assert tool(container, "kafka-topics.sh", "--create", "--topic", "t", "--partitions", "2")[0] == 0
    produce = (
        "printf 'one\\ntwo\\n' | /opt/kafka/bin/kafka-console-producer.sh "
        "--bootstrap-server localhost:29092 --topic t "
        "--request-required-acks all"
    )
    assert run(container, "bash", "-c", produce, environment={"KAFKA_HEAP_OPTS": "-Xmx128m"})[0] == 0
    status, output = tool(
        container,
        "kafka-console-consumer.sh",
        "--topic",
        "t",
        "--from-beginning",
        "--max-messages",
        "2",
        "--timeout-ms",
        "30000",
    )
    assert status == 0, output
    assert {"one", "two"} <= set(output.split())
    assert "retention.ms=60000" in "".join(
        tool(container, "kafka-configs.sh", "--entity-type", "topics", "--entity-name", "t", *rest)[1]
        for rest in (["--alter", "--add-config", "retention.ms=60000"], ["--describe"])
    )


COMMON = (
    f"log.dirs={KAFKA_DATA}\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n"
    "transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\ngroup.initial.rebalance.delay.ms=0\n"
    "advertised.listeners=INTERNAL://localhost:29092\ninter.broker.listener.name=INTERNAL\n"
)


def test_kafka_works_with_zookeeper(boxes: Boxes, image: Callable[[str], str]) -> None:
    network = boxes.network()
    zookeeper(boxes, image("kafka"), network)
    config = COMMON + (
        "broker.id=1\nzookeeper.connect=zookeeper:2181\nlisteners=INTERNAL://0.0.0.0:29092\n"
        "listener.security.protocol.map=INTERNAL:PLAINTEXT\n"
    )
    kafka = broker(
        boxes,
        image("kafka"),
        network,
        config,
        "exec /opt/kafka/bin/kafka-server-start.sh "
        "/run/config/server.properties --override message.max.bytes=2000000",
    )
    carries_records(kafka)
    assert (
        '"version"'
        in run(kafka, "/opt/kafka/bin/zookeeper-shell.sh", "zookeeper:2181", "get", "/cluster/id")[1]
    )
    line = run(kafka, "bash", "-c", "tr '\\0' ' ' < /proc/1/cmdline")[1]
    assert "java -Xms64m -Xmx256m" in line
    assert "-Dclinical.canary=1" in line
    kafka.stop(timeout=60)
    assert "shut down completed" in kafka.logs().decode()


def test_kafka_works_without_zookeeper(boxes: Boxes, image: Callable[[str], str]) -> None:
    config = COMMON + (
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@localhost:9093\n"
        "controller.listener.names=CONTROLLER\n"
        "listeners=INTERNAL://0.0.0.0:29092,CONTROLLER://localhost:9093\n"
        "listener.security.protocol.map=INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
    )
    start = (
        "/opt/kafka/bin/kafka-storage.sh format --cluster-id MkU3OEVBNTcwNTJENDM2Qg "
        "--config /run/config/server.properties"
        " && exec /opt/kafka/bin/kafka-server-start.sh /run/config/server.properties"
    )
    carries_records(broker(boxes, image("kafka"), boxes.network(), config, start))


def test_each_of_kafkas_tools_finds_its_class(boxes: Boxes, image: Callable[[str], str]) -> None:
    container = boxes.start(
        image("kafka"), ["sleep", "infinity"], user="1000:1000", volumes={}, memory="256m"
    )
    lost = {}
    for name in TOOLS:
        _, output = run(
            container,
            "timeout",
            "20",
            f"/opt/kafka/bin/{name}",
            "--help" if name != "zookeeper-shell.sh" else "",
        )
        if "Could not find or load main class" in output or "NoClassDefFound" in output or not output.strip():
            lost[name] = output
    assert lost == {}
