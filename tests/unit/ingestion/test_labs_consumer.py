"""The consumer takes messages while Kafka is there, pauses while it is away, and comes back after a lost connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from applications.ingestion.labs import consumer as consumer_module
from applications.ingestion.labs import kafka_watch
from applications.ingestion.labs.carrier import Carrier
from applications.ingestion.labs.consumer import Consumer
from applications.ingestion.labs.kafka_watch import KafkaWatch
from applications.ingestion.labs.settings import LabsSettings
from tests.unit.ingestion.labs_fakes import FakeMessage, FakePublisher, encoded, lab, run, until

QUEUES = ["clinical.priority", "clinical.lab-results", "clinical.dead-letter"]


@dataclass
class FakeChannel:
    """A channel with one queue, and the queue itself."""

    number: int
    name: str = ""
    prefetch: int = 0
    is_closed: bool = False
    tag: str | None = None
    callback: Callable[[Any], Awaitable[None]] | None = None
    on_consumer_cancel_callbacks: set[Any] = field(default_factory=set)

    async def set_qos(self, prefetch_count: int) -> None:
        """Bounds what is delivered ahead."""
        self.prefetch = prefetch_count

    async def get_queue(self, name: str, ensure: bool) -> FakeChannel:
        """The queue, unasked."""
        assert not ensure, "the user may not declare"
        self.name = name
        return self

    async def get_underlay_channel(self) -> FakeChannel:
        """Where broker's cancellations are told."""
        return self

    @property
    def channel(self) -> FakeChannel:
        """The queue's channel."""
        return self

    async def consume(self, callback: Callable[[Any], Awaitable[None]]) -> str:
        """Begins to deliver."""
        assert self.tag is None
        self.tag, self.callback = f"tag-{self.number}", callback
        return self.tag

    async def cancel(self, tag: str) -> None:
        """Ends delivery."""
        assert tag == self.tag
        self.tag = None


class FakeRabbit:
    """A RabbitMQ that can be away; `channels` are those of its last connection."""

    def __init__(self) -> None:
        self.away = False
        self.connections = 0
        self.closed = 0
        self.channels: list[FakeChannel] = []

    async def connect(self, **_: Any) -> FakeRabbit:
        """A new connection."""
        if self.away:
            raise ConnectionRefusedError("refused")
        self.connections += 1
        self.channels = []
        return self

    async def channel(self, publisher_confirms: bool) -> FakeChannel:
        """A new channel."""
        self.channels.append(FakeChannel(len(self.channels)))
        return self.channels[-1]

    async def close(self) -> None:
        """The client's end."""
        self.closed += 1

    @property
    def consuming(self) -> list[str]:
        """The queues that are consumed now."""
        return [channel.name for channel in self.channels if channel.tag]


class FakeStop:
    """Asked by the test."""

    requested = False


class Scene:
    """A consumer between fakes, running; make it inside a running loop."""

    def __init__(self, rabbit: FakeRabbit, kafka_fault: str | None = None) -> None:
        self.rabbit, self.stop = rabbit, FakeStop()
        self.publisher: Any = FakePublisher()
        self.publisher.fault = kafka_fault
        self.kafka = KafkaWatch(self.publisher)
        self.carrier = Carrier(self.publisher, self.kafka)
        settings = LabsSettings(kafka_bootstrap="k", amqp_host="mq", amqp_password="x", prefetch=7, stop_seconds=5)  # type: ignore[arg-type]
        self.consumer = Consumer(settings, self.carrier, self.kafka, self.stop)  # type: ignore[arg-type]
        self.tasks = [asyncio.create_task(work) for work in (self.kafka.run(), self.consumer.run())]

    async def end(self) -> None:
        """Asks to stop and waits for it."""
        self.stop.requested = True
        await self.tasks[1]
        self.tasks[0].cancel()


@pytest.fixture
def rabbit(monkeypatch: pytest.MonkeyPatch) -> FakeRabbit:
    """The RabbitMQ that the consumer finds, with short pauses."""
    found = FakeRabbit()
    monkeypatch.setattr("aio_pika.connect", found.connect)
    for name in ("LOOK_SECONDS", "FIRST_PAUSE_SECONDS", "LONGEST_PAUSE_SECONDS"):
        monkeypatch.setattr(consumer_module, name, 0.001)
    monkeypatch.setattr(kafka_watch, "PROBE_SECONDS", 0.001)
    return found


def test_each_queue_has_a_channel_and_a_prefetch_of_its_own(rabbit: FakeRabbit) -> None:
    """What fills one queue's prefetch holds up no other: priority never waits behind routine."""
    async def scene() -> None:
        found = Scene(rabbit)
        await until(lambda: rabbit.consuming == QUEUES, "all are consumed")
        assert [channel.prefetch for channel in rabbit.channels] == [7, 7, 7]
        await until(lambda: found.consumer.fault is None, "well")
        await found.end()
    run(scene())


def test_nothing_is_consumed_while_kafka_is_away(rabbit: FakeRabbit) -> None:
    """From the start, and after it goes: messages wait in their queues; the connection stays, and what is in hand with it."""
    async def scene() -> None:
        found = Scene(rabbit, kafka_fault="away")
        await until(lambda: found.consumer.fault is not None and found.consumer.fault.startswith("paused"), "paused")
        assert len(rabbit.channels) == 3 and rabbit.consuming == []
        found.publisher.fault = None
        await until(lambda: rabbit.consuming == QUEUES, "consumes once Kafka is there")
        found.publisher.fault = "away"
        await until(lambda: rabbit.consuming == [], "pauses when it goes")
        found.publisher.fault = None
        await until(lambda: rabbit.consuming == QUEUES and found.consumer.fault is None, "goes on")
        assert rabbit.connections == 1
        await found.end()
    run(scene())


@pytest.mark.parametrize("broken", QUEUES)
@pytest.mark.parametrize("how", ["closed channel", "consumer ended by the broker"])
def test_one_lost_consumer_renews_the_connection(rabbit: FakeRabbit, broken: str, how: str) -> None:
    """A deleted queue or a closed channel must not leave a connection that looks well and takes nothing."""
    async def scene() -> None:
        found = Scene(rabbit)
        await until(lambda: rabbit.consuming == QUEUES, "all are consumed")
        [channel] = [channel for channel in rabbit.channels if channel.name == broken]
        if how == "closed channel":
            channel.is_closed = True
        else:
            for callback in channel.on_consumer_cancel_callbacks:
                callback(None)
        await until(lambda: rabbit.connections == 2 and rabbit.consuming == QUEUES, "a new connection")
        assert rabbit.closed == 1
        await found.end()
    run(scene())


def test_an_absent_rabbitmq_is_named_and_found_again(rabbit: FakeRabbit) -> None:
    """Health says which server and why; no restart is needed once it is back."""
    async def scene() -> None:
        rabbit.away = True
        found = Scene(rabbit)
        wanted = "RabbitMQ at mq:5672 cannot be used: ConnectionRefusedError: refused"
        await until(lambda: found.consumer.fault == wanted, "named")
        rabbit.away = False
        await until(lambda: found.consumer.fault is None, "found again")
        await found.end()
    run(scene())


def test_a_stop_takes_no_more_and_finishes_what_is_in_hand(rabbit: FakeRabbit) -> None:
    """The connection closes only after the last acknowledgement."""
    async def scene() -> None:
        found, message = Scene(rabbit), FakeMessage(encoded(lab()))
        await until(lambda: rabbit.consuming == QUEUES, "all are consumed")
        found.publisher.hold = True
        deliver = rabbit.channels[1].callback
        assert deliver is not None
        delivery = asyncio.ensure_future(deliver(message))
        await until(lambda: found.publisher.waiting, "in hand")
        found.stop.requested = True
        await until(lambda: rabbit.consuming == [], "takes no more")
        assert rabbit.closed == 0 and message.said == []
        found.publisher.confirm()
        await asyncio.gather(delivery, found.tasks[1])
        found.tasks[0].cancel()
        assert message.said == ["ack"] and rabbit.closed == 1
    run(scene())
