"""RabbitMQ's image with the platform's own files: hardened, three users, and messages that survive a kill."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import AMQPError, ChannelAccessRefused, DeliveryError
from docker.models.containers import Container

import components.ingestion
from components.files import render
from components.ingestion.broker_definitions import DELIVERY_LIMIT, definitions
from operations.images import connect
from tests.images.boxes import Boxes, run, state_of, until

FOLDER = Path(components.ingestion.__file__).parent
MEMORY_MB = 512
PASSWORDS = {"gateway": "g-canary-77", "lab-processor": "l-canary-77", "monitor": "m-canary-77"}
RESULTS, DEAD = "clinical.lab-results", "clinical.dead-letter"
HEALTH = ("bash", "/run/config/health")


@pytest.fixture(scope="module")
def server(image: Callable[[str], str]) -> Iterator[Container]:
    """A server as the platform starts it, healthy; a test leaves its queues empty."""
    client = connect()
    boxes = Boxes(client, prefix=f"images-test-rabbitmq-{os.getpid()}")
    try:
        yield started(boxes, image("rabbitmq"))
    finally:
        boxes.clean()
        client.close()


def started(boxes: Boxes, tag: str) -> Container:
    """A server with the platform's files."""
    found = boxes.start(
        tag,
        ["rabbitmq-server"],
        user="999:999",
        memory=f"{MEMORY_MB}m",
        network=boxes.network(),
        alias="clinical-mq",
        environment={
            "RABBITMQ_CONFIG_FILE": "/run/config/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": "/run/config/enabled_plugins",
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+Q 4096 -kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
        },
        # Some logs have a file whatever the configuration says.
        tmpfs=("/tmp", "/var/log/rabbitmq"),
        volumes={
            boxes.volume(): "/var/lib/rabbitmq",
            boxes.volume(): "/run/config",
            boxes.volume(): "/run/secrets",
        },
        files={
            "/run/config/rabbitmq.conf": render(FOLDER, "rabbitmq.conf", memory_mb=MEMORY_MB),
            "/run/config/enabled_plugins": render(FOLDER, "enabled_plugins"),
            "/run/config/health": render(FOLDER, "rabbitmq-health.sh"),
            "/run/secrets/definitions.json": definitions(PASSWORDS),
        },
    )
    until(lambda: run(found, *HEALTH)[0] == 0, "RabbitMQ answers", found)
    return found


def host_of(container: Container) -> str:
    """The container's address on its network; the host reaches it without a published port."""
    container.reload()
    return next(str(net["IPAddress"]) for net in container.attrs["NetworkSettings"]["Networks"].values())


def as_user(
    server: Container, user: str, work: Callable[[AbstractChannel], Awaitable[Any]], password: str = ""
) -> Any:
    """What `work` returns on a channel of a user's own."""

    async def connected() -> Any:
        connection = await aio_pika.connect(
            host=host_of(server), login=user, password=password or PASSWORDS[user], timeout=10
        )
        async with connection:
            return await work(await connection.channel(publisher_confirms=True, on_return_raises=True))

    return asyncio.run(asyncio.wait_for(connected(), timeout=60))


def publish(key: str, *bodies: bytes) -> Callable[[AbstractChannel], Awaitable[None]]:
    """Publishes persistent messages, each confirmed."""

    async def work(channel: AbstractChannel) -> None:
        exchange = await channel.get_exchange("clinical", ensure=False)
        for body in bodies:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await exchange.publish(message, key, mandatory=True)

    return work


def take(queue: str, count: int) -> Callable[[AbstractChannel], Awaitable[list[Any]]]:
    """Takes and acknowledges so many messages."""

    async def work(channel: AbstractChannel) -> list[Any]:
        found: list[Any] = []
        async with (await channel.get_queue(queue, ensure=False)).iterator(timeout=30) as messages:
            async for message in messages:
                await message.ack()
                found.append(message)
                if len(found) == count:
                    break
        return found

    return work


def metrics(server: Container) -> str:
    """The Prometheus page."""
    status, page = run(
        server,
        "bash",
        "-c",
        "exec 3<>/dev/tcp/127.0.0.1/15692; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3",
    )
    assert status == 0 and page.startswith("HTTP/1.1 200")
    return page


def test_only_the_declared_users_and_queues_exist(server: Container) -> None:
    users = json.loads(run(server, "rabbitmqctl", "-q", "--formatter", "json", "list_users")[1])
    assert {user["user"] for user in users} == set(PASSWORDS)
    columns = ("name", "type", "durable")
    listed = run(server, "rabbitmqctl", "-q", "--formatter", "json", "list_queues", *columns)[1]
    assert {(queue["name"], queue["type"], queue["durable"]) for queue in json.loads(listed)} == {
        (RESULTS, "quorum", True),
        ("clinical.priority", "quorum", True),
        (DEAD, "quorum", True),
    }
    for user, password in (("guest", "guest"), ("gateway", "wrong")):
        with pytest.raises(AMQPError):
            as_user(server, user, publish(RESULTS, b"x"), password)


def test_each_user_is_refused_what_is_not_its_work(server: Container) -> None:
    as_user(server, "gateway", publish(RESULTS, b"x"))
    with pytest.raises(DeliveryError):
        as_user(server, "gateway", publish("no-such-key", b"x"))
    for user in ("gateway", "monitor"):
        with pytest.raises(ChannelAccessRefused):
            as_user(server, user, take(RESULTS, 1))
    for user in ("lab-processor", "monitor"):
        with pytest.raises(ChannelAccessRefused):
            as_user(server, user, publish(RESULTS, b"x"))
    for user in PASSWORDS:
        with pytest.raises(ChannelAccessRefused):
            as_user(server, user, lambda channel: channel.declare_queue("another", durable=True))
    assert [message.body for message in as_user(server, "lab-processor", take(RESULTS, 1))] == [b"x"]


def test_confirmed_messages_survive_a_kill_and_a_stop(server: Container) -> None:
    bodies = [f"message {i}".encode() for i in range(200)]
    as_user(server, "gateway", publish(RESULTS, *bodies))
    server.kill("SIGKILL")
    server.start()
    until(lambda: run(server, *HEALTH)[0] == 0, "RabbitMQ answers after a kill", server)
    server.stop(timeout=60)
    assert server.wait()["StatusCode"] == 0, "a stop is graceful"
    server.start()
    until(lambda: run(server, *HEALTH)[0] == 0, "RabbitMQ answers after a stop", server)
    found = as_user(server, "lab-processor", take(RESULTS, len(bodies)))
    assert sorted(message.body for message in found) == sorted(bodies)


def test_a_message_that_fails_too_often_becomes_a_dead_letter(server: Container) -> None:
    as_user(server, "gateway", publish(RESULTS, b"poison"))

    async def fail(channel: AbstractChannel) -> int:
        failed = 0
        queue = await channel.get_queue(RESULTS, ensure=False)
        while (message := await queue.get(fail=False)) is not None:
            await message.nack(requeue=True)
            failed += 1
        return failed

    # The first delivery and as many redeliveries as the limit allows.
    assert as_user(server, "lab-processor", fail) == DELIVERY_LIMIT + 1
    [letter] = as_user(server, "lab-processor", take(DEAD, 1))
    assert letter.body == b"poison" and letter.headers["x-first-death-queue"] == RESULTS
    assert letter.headers["x-first-death-reason"] == "delivery_limit"


def test_health_needs_an_answer_and_leaves_no_trace(server: Container) -> None:
    before = server.logs()
    for _ in range(5):
        assert run(server, *HEALTH)[0] == 0
    assert server.logs() == before, "each check would be a line in the log"
    find = "for p in /proc/[0-9]*; do [ \"$(cat $p/comm)\" = beam.smp ] && echo ${p#/proc/}; done"
    [beam] = run(server, "bash", "-c", find)[1].split()
    assert run(server, "bash", "-c", f"kill -STOP {beam}")[0] == 0
    assert run(server, "timeout", "2", *HEALTH)[0] != 0, "the port is open and nobody answers"
    assert run(server, "bash", "-c", f"kill -CONT {beam}")[0] == 0
    until(lambda: run(server, *HEALTH)[0] == 0, "healthy again", server)


def test_the_page_and_the_numbers_are_there_and_no_secret_is(server: Container) -> None:
    number = f'rabbitmq_queue_messages_ready{{vhost="/",queue="{RESULTS}"}} 0'
    until(lambda: number in metrics(server), "numbers of each queue", server)
    page = "exec 3<>/dev/tcp/127.0.0.1/15672; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3"
    assert " 200 " in run(server, "bash", "-c", page)[1]
    status, lines = run(server, "bash", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert status == 0 and "beam.smp" in lines and state_of(server) == "running"
    assert "canary" not in json.dumps(server.attrs) + lines + server.logs().decode()
