"""The ways on to Kafka and RabbitMQ: what counts as confirmed, and what as away."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any
from uuid import uuid4

import aiormq
import pytest
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from applications.clinical.models import DEAD_LETTER_TOPIC, DeadLetter, EventType
from applications.clinical.reasons import Reason, ReasonCode
from applications.ingestion.gateway import senders
from applications.ingestion.gateway.reading import Ready
from applications.ingestion.gateway.senders import Away, KafkaSender, QueueSender
from applications.runtime.kafka import Position, PublishError
from tests.unit.ingestion.gateway_fakes import run

VITALS = Ready(uuid4(), EventType.PATIENT_VITALS, "PT0000A1B2", b"{}", None)
LAB = Ready(uuid4(), EventType.LAB_RESULTS, "PT0000A1B2", b"{}", "clinical.priority")


class FakePublisher:
    """A publisher whose futures the test resolves."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, bytes, Future[Position]]] = []
        self.away: str | None = None

    def publish(self, topic: str, key: str, value: bytes) -> Future[Position]:
        """Remembers a record."""
        self.sent.append((topic, key, value, Future()))
        return self.sent[-1][3]

    def check(self) -> str | None:
        """What the test says."""
        return self.away


async def kafka() -> tuple[KafkaSender, FakePublisher, asyncio.Task[None]]:
    """A sender that has found its broker."""
    publisher = FakePublisher()
    sender = KafkaSender(publisher, "clinical-data-gateway")  # type: ignore[arg-type]
    watching = asyncio.create_task(sender.watch())
    while sender.fault is not None:
        await asyncio.sleep(0.001)
    return sender, publisher, watching


async def published(publisher: FakePublisher, count: int) -> tuple[str, str, bytes, Future[Position]]:
    """The record of that number, once it is there."""
    while len(publisher.sent) < count:
        await asyncio.sleep(0.001)
    return publisher.sent[count - 1]


def test_kafka_takes_an_event_in_its_types_topic_by_patient_and_only_its_confirmation_counts() -> None:
    async def scenario() -> None:
        sender, publisher, watching = await kafka()
        sending = asyncio.create_task(sender.send(VITALS))
        topic, key, value, future = await published(publisher, 1)
        assert (topic, key, value) == ("patient-vitals", "PT0000A1B2", b"{}")
        await asyncio.sleep(0.01)
        assert not sending.done()
        future.set_result(Position(topic, 0, 7))
        await sending
        watching.cancel()

    run(scenario())


def test_a_dead_letter_holds_the_bytes_and_every_reason() -> None:
    async def scenario() -> None:
        sender, publisher, watching = await kafka()
        reasons = [Reason(ReasonCode.MISSING_FIELD, "site_id", "field required"), Reason(ReasonCode.NO_VALUE, "", "none")]
        sending = asyncio.create_task(sender.quarantine(reasons, b"\xff raw"))
        topic, key, value, future = await published(publisher, 1)
        letter = DeadLetter.model_validate_json(value)
        assert (topic, key, letter.raw, letter.reason) == (DEAD_LETTER_TOPIC, "gateway", "/yByYXc=", "missing-field")
        assert letter.reasons == [reason.as_dict() for reason in reasons]
        future.set_result(Position(topic, 0, 0))
        await sending
        watching.cancel()

    run(scenario())


def test_a_failure_makes_kafka_away_at_once_until_it_answers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "PROBE_SECONDS", 0.05)

    async def scenario() -> None:
        sender, publisher, watching = await kafka()
        publisher.away = "does not answer"
        sending = asyncio.create_task(sender.send(VITALS))
        (await published(publisher, 1))[3].set_exception(PublishError("timed out"))
        with pytest.raises(Away, match="timed out"):
            await sending
        with pytest.raises(Away):
            await sender.send(VITALS)
        assert len(publisher.sent) == 1
        publisher.away = None
        while sender.fault is not None:
            await asyncio.sleep(0.001)
        watching.cancel()

    run(scenario())


def test_whoever_stops_waiting_does_not_cancel_what_the_client_will_resolve() -> None:
    async def scenario() -> None:
        sender, publisher, watching = await kafka()
        sending = asyncio.create_task(sender.send(VITALS))
        future = (await published(publisher, 1))[3]
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        future.set_result(Position("patient-vitals", 0, 1))
        watching.cancel()

    run(scenario())


class FakeExchange:
    """An exchange that answers as a test says."""

    def __init__(self, outcome: BaseException | None) -> None:
        self.outcome = outcome
        self.published: list[tuple[Any, str, dict[str, Any]]] = []

    async def publish(self, message: Any, routing_key: str, **options: Any) -> None:
        """Confirms or raises."""
        self.published.append((message, routing_key, options))
        if self.outcome is not None:
            raise self.outcome


def queue(outcome: BaseException | None = None) -> tuple[QueueSender, FakeExchange]:
    """A sender with an open exchange."""
    sender, exchange = QueueSender("clinical-mq", 5672, "gateway", "secret", 5), FakeExchange(outcome)
    sender._exchange, sender.fault = exchange, None  # type: ignore[assignment]
    return sender, exchange


def test_a_result_is_published_lasting_and_mandatory_under_its_routing_key() -> None:
    sender, exchange = queue()
    run(sender.send(LAB))
    [(message, routing_key, options)] = exchange.published
    assert routing_key == "clinical.priority" and options["mandatory"] is True
    assert (message.delivery_mode, message.message_id, message.type) == (2, str(LAB.event_id), "lab-results")


@pytest.mark.parametrize("outcome", [
    aiormq.exceptions.DeliveryError(None, Basic.Nack()),
    aiormq.exceptions.PublishError(DeliveredMessage(delivery=Basic.Return(), header=None, body=b"", channel=None), Basic.Ack()),  # type: ignore[arg-type]
    aiormq.exceptions.ChannelInvalidStateError(), aiormq.exceptions.AMQPConnectionError(), TimeoutError(), ConnectionResetError(),
    asyncio.CancelledError()])
def test_a_refusal_a_return_a_lost_connection_and_silence_are_all_away(outcome: BaseException) -> None:
    with pytest.raises(Away):
        run(queue(outcome)[0].send(LAB))


def test_rabbitmq_is_away_until_it_was_reached_and_a_refused_connection_says_so() -> None:
    async def scenario() -> None:
        sender = QueueSender("127.0.0.1", 1, "gateway", "secret-password", 5)
        with pytest.raises(Away):
            await sender.send(LAB)
        watching = asyncio.create_task(sender.watch())
        while sender.fault == senders.NOT_ASKED:
            await asyncio.sleep(0.001)
        assert sender.fault is not None and "cannot be reached" in sender.fault and "secret" not in sender.fault
        assert not watching.done()
        watching.cancel()

    run(scenario())
