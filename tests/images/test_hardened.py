"""Each image does its work as the platform runs it: hardened, on named volumes, with little memory, secrets in files."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.images.boxes import Boxes, run, until

CANARY = "canary-5f1c7e"
KAFKA_DATA = "/var/lib/kafka/data"
TOOLS = [line.split()[0] for line in (Path(__file__).parents[2] / "images/kafka/bin/tools.txt").read_text().splitlines()]
DATA = {"minio": "/data", "kafka": KAFKA_DATA, "redis": "/data", "postgres": "/var/lib/postgresql/data"}
USERS = {"minio": "1000:1000", "kafka": "1000:1000", "redis": "999:999", "postgres": "999:999",
         "redis-commander": "1000:1000"}


def address(container: Container) -> str:
    """The container's address on its network; the host reaches it without a published port."""
    container.reload()
    return next(str(network["IPAddress"]) for network in container.attrs["NetworkSettings"]["Networks"].values())


def http(url: str, data: object = None, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Status and text of an answer; status 0 while nothing answers."""
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def shows_no_secret(container: Container) -> bool:
    """Whether neither `docker inspect` nor a command line in the container nor the log has the canary."""
    container.reload()
    status, lines = run(container, "bash", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert status == 0
    return CANARY not in json.dumps(container.attrs) + lines + container.logs().decode(errors="replace")


@pytest.mark.parametrize("name", USERS)
def test_an_image_is_slim_and_has_what_health_checks_need(boxes: Boxes, image: Callable[[str], str], name: str) -> None:
    config = boxes.client.images.get(image(name)).attrs["Config"]
    assert config["User"] == USERS[name]
    assert not config.get("Volumes")
    assert not config.get("Healthcheck")
    container = boxes.start(image(name), ["sleep", "infinity"], user=USERS[name], volumes={}, memory="64m")
    assert run(container, "bash", "-c", "command -v bash od head cat")[0] == 0
    status, left = run(container, "bash", "-c", "find /var/lib/apt/lists /var/cache/apt /usr/share/locale /usr/share/man "
                       "-type f -size +0 2>/dev/null; find / -xdev -perm /6000 -newer /etc/hostname -type f 2>/dev/null")
    assert [line for line in left.splitlines() if not line.startswith("/usr/share/locale/locale.alias")] == []


@pytest.mark.parametrize("user", ["own", "0:0"])
@pytest.mark.parametrize("name", DATA)
def test_a_new_volume_is_writable_for_the_images_user_and_for_root_without_capabilities(
        boxes: Boxes, image: Callable[[str], str], name: str, user: str) -> None:
    user = USERS[name] if user == "own" else user
    container = boxes.start(image(name), ["bash", "-c", f"echo x > {DATA[name]}/x && cat {DATA[name]}/x"], user=user,
                            volumes={boxes.volume(): DATA[name]}, memory="64m")
    assert container.wait()["StatusCode"] == 0, container.logs().decode()


def test_minio_serves_with_a_password_from_a_file(boxes: Boxes, image: Callable[[str], str]) -> None:
    network, data, secrets = boxes.network(), boxes.volume(), boxes.volume()
    container = boxes.start(
        image("minio"), ["minio", "server", "/data", "--address", ":9000", "--console-address", ":9001"],
        user="1000:1000", memory="256m", network=network, alias="minio", volumes={data: "/data", secrets: "/run/secrets"},
        environment={"MINIO_ROOT_USER": "lake-root", "MINIO_ROOT_PASSWORD_FILE": "/run/secrets/password"},
        files={"/run/secrets/password": CANARY})
    store, console = f"http://{address(container)}:9000", f"http://{address(container)}:9001"
    until(lambda: http(f"{store}/minio/health/ready")[0] == 200, "MinIO is ready", container)
    status, answer = http(store)
    assert (status, "AccessDenied" in answer) == (403, True)
    login = {"accessKey": "lake-root", "secretKey": CANARY}
    assert http(f"{console}/api/v1/login", login)[0] == 204
    assert http(f"{console}/api/v1/login", {**login, "secretKey": "wrong-password"})[0] in (401, 403)
    assert shows_no_secret(container)


def test_redis_keeps_its_data_and_asks_for_its_password(boxes: Boxes, image: Callable[[str], str]) -> None:
    data, config = boxes.volume(), boxes.volume()

    def start() -> Container:
        found = boxes.start(image("redis"), ["redis-server", "/run/config/redis.conf"], user="999:999", memory="64m",
                            volumes={data: "/data", config: "/run/config"},
                            files={"/run/config/redis.conf": f"dir /data\nappendonly yes\nrequirepass {CANARY}\n"})
        until(lambda: "PONG" in run(found, "redis-cli", "ping", environment={"REDISCLI_AUTH": CANARY})[1], "PONG", found)
        return found

    first = start()
    assert "NOAUTH" in run(first, "redis-cli", "set", "a", "1")[1]
    assert run(first, "redis-cli", "set", "a", "42", environment={"REDISCLI_AUTH": CANARY})[1].strip() == "OK"
    assert shows_no_secret(first)
    first.stop()
    first.remove()
    assert run(start(), "redis-cli", "get", "a", environment={"REDISCLI_AUTH": CANARY})[1].strip() == "42"


def test_redis_commander_takes_every_secret_from_its_file(boxes: Boxes, image: Callable[[str], str]) -> None:
    network, config, secrets = boxes.network(), boxes.volume(), boxes.volume()
    redis = boxes.start(image("redis"), ["redis-server", "/run/config/redis.conf"], user="999:999", memory="64m",
                        network=network, alias="redis", volumes={config: "/run/config", boxes.volume(): "/data"},
                        files={"/run/config/redis.conf": f"bind 0.0.0.0\nrequirepass {CANARY}-redis\n"})
    settings = {"noSave": True, "server": {"httpAuth": {"username": "admin", "password": f"{CANARY}-page"}},
                "connections": [{"label": "features", "host": "redis", "port": 6379, "dbIndex": 0,
                                 "password": f"{CANARY}-redis"}]}
    page = boxes.start(image("redis-commander"), ["redis-commander"], user="1000:1000", memory="192m", network=network,
                       alias="page", volumes={secrets: "/run/secrets"},
                       files={"/run/secrets/local.json": json.dumps(settings)})
    url = f"http://{address(page)}:8081"
    until(lambda: http(f"{url}/healthcheck")[0] == 200, "the page is healthy", page)
    run(redis, "redis-cli", "set", "patient:1", "x", environment={"REDISCLI_AUTH": f"{CANARY}-redis"})

    def keys(password: str) -> tuple[int, str]:
        login = base64.b64encode(f"admin:{password}".encode()).decode()
        return http(f"{url}/apiv2/keystree/features:redis:6379:0/", headers={"Authorization": f"Basic {login}"})

    until(lambda: "patient" in keys(f"{CANARY}-page")[1], "the page shows Redis's keys", page)
    assert keys("wrong")[0] in (401, 403)
    assert shows_no_secret(page)


def zookeeper(boxes: Boxes, tag: str, network: str) -> Container:
    """One ZooKeeper node on a network."""
    config = f"dataDir={KAFKA_DATA}\nclientPort=2181\nadmin.enableServer=false\n4lw.commands.whitelist=ruok\n"
    node = boxes.start(tag, ["/opt/kafka/bin/zookeeper-server-start.sh", "/run/config/zookeeper.properties"],
                       user="1000:1000", memory="256m", network=network, alias="zookeeper",
                       environment={"KAFKA_HEAP_OPTS": "-Xms32m -Xmx64m"},
                       volumes={boxes.volume(): KAFKA_DATA, boxes.volume(): "/run/config"},
                       files={"/run/config/zookeeper.properties": config})
    ask = "exec 3<>/dev/tcp/127.0.0.1/2181; printf ruok >&3; cat <&3"
    until(lambda: run(node, "bash", "-c", ask)[1] == "imok", "imok", node)
    return node


def broker(boxes: Boxes, tag: str, network: str, config: str, start: str) -> Container:
    """One broker on a network; `start` is a shell command."""
    found = boxes.start(tag, ["bash", "-c", start], user="1000:1000", memory="640m", network=network, alias="kafka",
                        environment={"KAFKA_HEAP_OPTS": "-Xms64m -Xmx256m", "KAFKA_OPTS": "-Dclinical.canary=1"},
                        volumes={boxes.volume(): KAFKA_DATA, boxes.volume(): "/run/config"},
                        files={"/run/config/server.properties": config})
    until(lambda: tool(found, "kafka-topics.sh", "--list")[0] == 0, "the broker answers", found)
    return found


def tool(container: Container, name: str, *arguments: str) -> tuple[int, str]:
    """One of Kafka's tools on the broker itself."""
    return run(container, f"/opt/kafka/bin/{name}", "--bootstrap-server", "localhost:29092", *arguments,
               environment={"KAFKA_HEAP_OPTS": "-Xmx128m"})


def carries_records(container: Container) -> None:
    """Produces with acks=all and consumes what was produced."""
    assert tool(container, "kafka-topics.sh", "--create", "--topic", "t", "--partitions", "2")[0] == 0
    produce = ("printf 'one\\ntwo\\n' | /opt/kafka/bin/kafka-console-producer.sh --bootstrap-server localhost:29092 --topic t "
               "--request-required-acks all")
    assert run(container, "bash", "-c", produce, environment={"KAFKA_HEAP_OPTS": "-Xmx128m"})[0] == 0
    status, output = tool(container, "kafka-console-consumer.sh", "--topic", "t", "--from-beginning", "--max-messages", "2",
                          "--timeout-ms", "30000")
    assert status == 0, output
    assert {"one", "two"} <= set(output.split())
    assert "retention.ms=60000" in "".join(
        tool(container, "kafka-configs.sh", "--entity-type", "topics", "--entity-name", "t", *rest)[1]
        for rest in (["--alter", "--add-config", "retention.ms=60000"], ["--describe"]))


COMMON = (f"log.dirs={KAFKA_DATA}\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n"
          "transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\ngroup.initial.rebalance.delay.ms=0\n"
          "advertised.listeners=INTERNAL://localhost:29092\ninter.broker.listener.name=INTERNAL\n")


def test_kafka_works_with_zookeeper(boxes: Boxes, image: Callable[[str], str]) -> None:
    network = boxes.network()
    zookeeper(boxes, image("kafka"), network)
    config = COMMON + ("broker.id=1\nzookeeper.connect=zookeeper:2181\nlisteners=INTERNAL://0.0.0.0:29092\n"
                       "listener.security.protocol.map=INTERNAL:PLAINTEXT\n")
    kafka = broker(boxes, image("kafka"), network, config, "exec /opt/kafka/bin/kafka-server-start.sh "
                   "/run/config/server.properties --override message.max.bytes=2000000")
    carries_records(kafka)
    assert '"version"' in run(kafka, "/opt/kafka/bin/zookeeper-shell.sh", "zookeeper:2181", "get", "/cluster/id")[1]
    line = run(kafka, "bash", "-c", "tr '\\0' ' ' < /proc/1/cmdline")[1]
    assert "java -Xms64m -Xmx256m" in line
    assert "-Dclinical.canary=1" in line
    kafka.stop(timeout=60)
    assert "shut down completed" in kafka.logs().decode()


def test_kafka_works_without_zookeeper(boxes: Boxes, image: Callable[[str], str]) -> None:
    config = COMMON + ("process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@localhost:9093\n"
                       "controller.listener.names=CONTROLLER\n"
                       "listeners=INTERNAL://0.0.0.0:29092,CONTROLLER://localhost:9093\n"
                       "listener.security.protocol.map=INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT\n")
    start = ("/opt/kafka/bin/kafka-storage.sh format --cluster-id MkU3OEVBNTcwNTJENDM2Qg --config /run/config/server.properties"
             " && exec /opt/kafka/bin/kafka-server-start.sh /run/config/server.properties")
    carries_records(broker(boxes, image("kafka"), boxes.network(), config, start))


def test_each_of_kafkas_tools_finds_its_class(boxes: Boxes, image: Callable[[str], str]) -> None:
    container = boxes.start(image("kafka"), ["sleep", "infinity"], user="1000:1000", volumes={}, memory="256m")
    lost = {}
    for name in TOOLS:
        _, output = run(container, "timeout", "20", f"/opt/kafka/bin/{name}", "--help" if name != "zookeeper-shell.sh" else "")
        if "Could not find or load main class" in output or "NoClassDefFound" in output or not output.strip():
            lost[name] = output
    assert lost == {}
