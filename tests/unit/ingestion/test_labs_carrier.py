"""A message is acknowledged after Kafka's confirmation, never before, and given back only for an error of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from applications.ingestion.labs import carrier as carrier_module
from applications.ingestion.labs import kafka_watch
from applications.ingestion.labs.carrier import Carrier
from applications.ingestion.labs.kafka_watch import KafkaWatch
from applications.ingestion.labs.verdicts import Handle, Verdict, laboratory_result
from tests.unit.ingestion.labs_fakes import FakeMessage, FakePublisher, encoded, lab, run, until

QUEUE = "clinical.priority"
CRITICAL = encoded(lab(value=170))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between tries."""
    monkeypatch.setattr(carrier_module, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(kafka_watch, "PROBE_SECONDS", 0.001)


class Bench:
    """A carrier between fakes; make it inside a running loop."""

    def __init__(self) -> None:
        self.publisher: Any = FakePublisher()
        self.kafka = KafkaWatch(self.publisher)
        self.carrier = Carrier(self.publisher, self.kafka)

    def carry(self, message: Any, handle: Handle = laboratory_result) -> asyncio.Task[None]:
        """Begins to carry a message."""
        return asyncio.create_task(self.carrier.carry(QUEUE, handle, message))


def counted(outcome: str) -> float:
    """The metric of an outcome."""
    return REGISTRY.get_sample_value("labs_messages_total", {"queue": QUEUE, "outcome": outcome}) or 0.0


def test_a_message_waits_for_all_of_its_confirmations() -> None:
    """An alert's alone is not enough; until the last one the message counts as in hand."""
    async def scene() -> None:
        bench, message = Bench(), FakeMessage(CRITICAL)
        bench.publisher.hold = True
        task = bench.carry(message)
        await until(lambda: len(bench.publisher.waiting) == 2, "both records are sent at once")
        bench.publisher.waiting.pop(0).set_result(None)
        for _ in range(20):
            await asyncio.sleep(0)
        assert message.said == [] and bench.carrier.in_hand == 1
        bench.publisher.confirm()
        await task
        assert message.said == ["ack"] and bench.carrier.in_hand == 0
    before = counted("published")
    run(scene())
    assert counted("published") == before + 1


def test_an_outage_of_kafka_holds_a_message_and_never_gives_it_back() -> None:
    """Every return counts towards the delivery limit. It is sent again when Kafka is there, and only what is missing."""
    async def scene() -> None:
        bench, message = Bench(), FakeMessage(CRITICAL)
        bench.publisher.fault = "timed out"
        watching = asyncio.create_task(bench.kafka.run())
        task = bench.carry(message)
        await until(lambda: bench.carrier.fault is not None and bench.kafka.fault is not None, "the outage is noticed")
        assert bench.carrier.fault == "1 messages are sent again until Kafka takes them: timed out"
        tries = len(bench.publisher.tries)
        await asyncio.sleep(0.02)
        assert len(bench.publisher.tries) == tries, "tried while Kafka is known to be away"
        assert message.said == [] and bench.carrier.in_hand == 1
        bench.publisher.fault = None
        await task
        watching.cancel()
        assert message.said == ["ack"] and bench.carrier.fault is None
        assert [topic for topic, *_ in bench.publisher.stored] == ["clinical-alerts", "lab-results"]
    run(scene())


def test_only_the_records_that_failed_are_sent_again() -> None:
    """One refused record does not repeat the others."""
    async def scene() -> None:
        bench, message = Bench(), FakeMessage(CRITICAL)
        publish = bench.publisher.publish

        def refuses_the_first_result(topic: str, key: str, value: bytes) -> Any:
            bench.publisher.fault = "full" if topic == "lab-results" and len(bench.publisher.tries) < 2 else None
            return publish(topic, key, value)

        bench.publisher.publish = refuses_the_first_result
        watching = asyncio.create_task(bench.kafka.run())
        await bench.carry(message)
        watching.cancel()
        assert [topic for topic, *_ in bench.publisher.tries] == ["clinical-alerts", "lab-results", "lab-results"]
        assert message.said == ["ack"]
    run(scene())


def fails(queue: str, body: bytes, headers: Mapping[str, Any]) -> Verdict:
    """A handler with a bug."""
    raise KeyError(body)


def test_an_unexpected_error_gives_the_message_back_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """RabbitMQ counts it and sets it aside after the limit; the log has the place and not the content."""
    said: list[str] = []
    monkeypatch.setattr(carrier_module, "log", SimpleNamespace(error=lambda event, **fields: said.append(f"{event} {fields}")))

    async def scene() -> None:
        bench, poison, good = Bench(), FakeMessage(b"secret-content"), FakeMessage(CRITICAL)
        await asyncio.gather(bench.carry(poison, fails), bench.carry(good))
        assert poison.said == ["nack requeue=True"] and good.said == ["ack"]
        assert bench.carrier.in_hand == 0
    before = counted("failed")
    run(scene())
    assert counted("failed") == before + 1
    assert [line.startswith("message-failed") for line in said] == [True] and "secret-content" not in said[0]


def test_a_send_that_raises_gives_the_message_back() -> None:
    """A message must not hang unacknowledged for an error behind its verdict."""
    async def scene() -> None:
        bench, message = Bench(), FakeMessage(CRITICAL)

        def raises(*_: object) -> None:
            raise RuntimeError("bug")

        bench.publisher.publish = raises
        await bench.carry(message)
        assert message.said == ["nack requeue=True"]
    run(scene())


def test_a_lost_connection_leaves_the_message_to_rabbitmq() -> None:
    """Its acknowledgement cannot be said any more: it comes again, and that is no error."""
    async def scene() -> None:
        bench, message = Bench(), FakeMessage(CRITICAL)
        message.lost = True
        await bench.carry(message)
        assert bench.carrier.in_hand == 0 and len(bench.publisher.stored) == 2
    run(scene())


def test_a_task_that_is_cancelled_leaves_kafkas_answer_alone() -> None:
    """The client's thread will still resolve it; a cancelled future would break that thread."""
    async def scene() -> None:
        bench = Bench()
        bench.publisher.hold = True
        task = bench.carry(FakeMessage(CRITICAL))
        await until(lambda: len(bench.publisher.waiting) == 2, "sent")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not any(future.cancelled() for future in bench.publisher.waiting)
        bench.publisher.confirm()
        assert bench.carrier.in_hand == 0
    run(scene())


def test_finishing_waits_for_what_is_in_hand_but_not_for_ever() -> None:
    """It says how many messages are left to be delivered again."""
    async def scene() -> None:
        bench, message = Bench(), FakeMessage(CRITICAL)
        bench.publisher.hold = True
        task = bench.carry(message)
        await until(lambda: bench.carrier.in_hand == 1, "in hand")
        assert await bench.carrier.finish(0.01) == 1
        asyncio.get_running_loop().call_later(0.02, bench.publisher.confirm)
        assert await bench.carrier.finish(5) == 0
        await task
        assert message.said == ["ack"]
    run(scene())
