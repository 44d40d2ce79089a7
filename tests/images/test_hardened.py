"""Each image works as the platform runs it: hardened, on named volumes, little memory, secrets in files."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

import pytest
from docker.models.containers import Container

from tests.images.boxes import Boxes, run, until

CANARY = "canary-5f1c7e"
DATA = {
    "minio": "/data",
    "kafka": "/var/lib/kafka/data",
    "redis": "/data",
    "postgres": "/var/lib/postgresql/data",
}
USERS = {
    "minio": "1000:1000",
    "kafka": "1000:1000",
    "redis": "999:999",
    "postgres": "999:999",
    "redis-commander": "1000:1000",
    "rabbitmq": "999:999",
    "ingestion": "1000:1000",
    "spark": "1000:1000",
    "airflow": "1000:1000",
    "opensearch": "1000:1000",
    "log-shipper": "1000:1000",
    "prometheus": "65534:65534",
}


def address(container: Container) -> str:
    """The container's address on its network; the host reaches it without a published port."""
    container.reload()
    return next(
        str(network["IPAddress"]) for network in container.attrs["NetworkSettings"]["Networks"].values()
    )


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
def test_an_image_is_slim_and_has_what_health_checks_need(
    boxes: Boxes, image: Callable[[str], str], name: str
) -> None:
    config = boxes.client.images.get(image(name)).attrs["Config"]
    assert config["User"] == USERS[name]
    assert not config.get("Volumes")
    assert not config.get("Healthcheck")
    container = boxes.start(image(name), ["sleep", "infinity"], user=USERS[name], volumes={}, memory="64m")
    assert run(container, "bash", "-c", "command -v bash od head cat")[0] == 0
    left = run(
        container,
        "find",
        "/var/lib/apt/lists",
        "/var/cache/apt",
        "/usr/share/man",
        "-type",
        "f",
        "-size",
        "+0",
    )[1]
    assert left.strip() == ""


@pytest.mark.parametrize("user", ["own", "0:0"])
@pytest.mark.parametrize("name", DATA)
def test_a_new_volume_is_writable_for_the_images_user_and_for_root_without_capabilities(
    boxes: Boxes, image: Callable[[str], str], name: str, user: str
) -> None:
    user = USERS[name] if user == "own" else user
    container = boxes.start(
        image(name),
        ["bash", "-c", f"echo x > {DATA[name]}/x && cat {DATA[name]}/x"],
        user=user,
        volumes={boxes.volume(): DATA[name]},
        memory="64m",
    )
    assert container.wait()["StatusCode"] == 0, container.logs().decode()


def test_minio_serves_with_a_password_from_a_file(boxes: Boxes, image: Callable[[str], str]) -> None:
    network, data, secrets = boxes.network(), boxes.volume(), boxes.volume()
    container = boxes.start(
        image("minio"),
        ["minio", "server", "/data", "--address", ":9000", "--console-address", ":9001"],
        user="1000:1000",
        memory="256m",
        network=network,
        alias="minio",
        volumes={data: "/data", secrets: "/run/secrets"},
        environment={"MINIO_ROOT_USER": "lake-root", "MINIO_ROOT_PASSWORD_FILE": "/run/secrets/password"},
        files={"/run/secrets/password": CANARY},
    )
    store, console = f"http://{address(container)}:9000", f"http://{address(container)}:9001"
    until(lambda: http(f"{store}/minio/health/ready")[0] == 200, "MinIO is ready", container)
    # It says that it is ready a moment before it has read its users; until then it asks for another try.
    until(lambda: http(store)[0] != 503, "MinIO has read its users", container)
    status, answer = http(store)
    assert (status, "AccessDenied" in answer) == (403, True)
    login = {"accessKey": "lake-root", "secretKey": CANARY}
    until(lambda: http(console)[0] == 200, "MinIO's console answers", container)
    assert http(f"{console}/api/v1/login", login)[0] == 204
    assert http(f"{console}/api/v1/login", {**login, "secretKey": "wrong-password"})[0] in (401, 403)
    assert shows_no_secret(container)


def test_redis_keeps_its_data_and_asks_for_its_password(boxes: Boxes, image: Callable[[str], str]) -> None:
    data, config = boxes.volume(), boxes.volume()

    def start() -> Container:
        found = boxes.start(
            image("redis"),
            ["redis-server", "/run/config/redis.conf"],
            user="999:999",
            memory="64m",
            volumes={data: "/data", config: "/run/config"},
            files={"/run/config/redis.conf": f"dir /data\nappendonly yes\nrequirepass {CANARY}\n"},
        )
        until(
            lambda: "PONG" in run(found, "redis-cli", "ping", environment={"REDISCLI_AUTH": CANARY})[1],
            "PONG",
            found,
        )
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
    redis = boxes.start(
        image("redis"),
        ["redis-server", "/run/config/redis.conf"],
        user="999:999",
        memory="64m",
        network=network,
        alias="redis",
        volumes={config: "/run/config", boxes.volume(): "/data"},
        files={"/run/config/redis.conf": f"bind 0.0.0.0\nrequirepass {CANARY}-redis\n"},
    )
    settings = {
        "noSave": True,
        "server": {"httpAuth": {"username": "admin", "password": f"{CANARY}-page"}},
        "connections": [
            {"label": "features", "host": "redis", "port": 6379, "dbIndex": 0, "password": f"{CANARY}-redis"}
        ],
    }
    page = boxes.start(
        image("redis-commander"),
        ["redis-commander"],
        user="1000:1000",
        memory="192m",
        network=network,
        alias="page",
        volumes={secrets: "/run/secrets"},
        files={"/run/secrets/local.json": json.dumps(settings)},
    )
    url = f"http://{address(page)}:8081"
    until(lambda: http(f"{url}/healthcheck")[0] == 200, "the page is healthy", page)
    run(redis, "redis-cli", "set", "patient:1", "x", environment={"REDISCLI_AUTH": f"{CANARY}-redis"})

    def sign_in(password: str) -> dict[str, object]:
        answer = http(f"{url}/signin", {"username": "admin", "password": password})[1]
        return dict(json.loads(answer))

    token = sign_in(f"{CANARY}-page")["bearerToken"]
    tree = f"{url}/apiv2/keystree/R:redis:6379:0/"
    until(
        lambda: "patient" in http(tree, headers={"Authorization": f"Bearer {token}"})[1],
        "Redis's keys are shown",
        page,
    )
    assert sign_in("wrong") == {"ok": False}
    assert http(tree)[0] == 401
    assert shows_no_secret(page)
