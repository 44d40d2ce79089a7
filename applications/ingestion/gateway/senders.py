"""The two ways on: Kafka, and the queue of laboratory results. Each says when it is away before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

import aio_pika
from aio_pika.abc import AbstractExchange
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from applications.clinical.reasons import Reason
from applications.ingestion.gateway.reading import Ready
from applications.runtime.kafka import Position, Publisher, PublishError, dead_letter
from applications.runtime.logs import log

PROBE_SECONDS = 2
RECONNECT_SECONDS = 1
HEARTBEAT_SECONDS = 10
EXCHANGE = "clinical"
SOURCE = "gateway"
NOT_ASKED = "the gateway has just started"


class Away(Exception):
    """What an event needs cannot confirm it now; the text says what. Nothing counts as accepted."""


class Sender(Protocol):
    """A way on. `fault` says why it cannot be used now, or is None."""

    fault: str | None

    async def send(self, event: Ready) -> None:
        """Returns once the broker confirmed the event. Raises Away."""


class KafkaWay(Sender, Protocol):
    """The way to Kafka, which takes refused bodies, too."""

    async def quarantine(self, reasons: Sequence[Reason], body: bytes) -> None:
        """Returns once the body is stored with its reasons. Raises Away."""


class KafkaSender:
    """Events and dead letters to Kafka."""

    def __init__(self, publisher: Publisher, service: str) -> None:
        self._publisher = publisher
        self._service = service
        self.fault: str | None = NOT_ASKED

    async def send(self, event: Ready) -> None:
        """Returns once all replicas have the event. Raises Away."""
        self._require()
        try:
            await _confirmation(self._publisher.publish(event.event_type, event.patient_id, event.value))
        except PublishError as error:
            raise self._failed(f"Kafka did not confirm: {error}") from None

    async def quarantine(self, reasons: Sequence[Reason], body: bytes) -> None:
        """Returns once all replicas have the dead letter. Raises Away."""
        self._require()
        try:
            await _confirmation(dead_letter(self._publisher, self._service, reasons, body, source=SOURCE))
        except PublishError as error:
            raise self._failed(f"Kafka did not confirm: {error}") from None

    async def watch(self) -> None:
        """Asks the broker every few seconds whether it is there, for ever."""
        while True:
            fault = await asyncio.to_thread(self._publisher.check)
            if fault is None and self.fault is not None:
                log.info("kafka-back")
            elif fault is not None:
                self._failed(fault)
            self.fault = fault
            await asyncio.sleep(PROBE_SECONDS)

    def _require(self) -> None:
        if self.fault is not None:
            raise Away(self.fault)

    def _failed(self, fault: str) -> Away:
        # Until the next look finds it well, senders are told at once and nothing more is queued.
        if self.fault in (None, NOT_ASKED):
            log.warning("kafka-away", error=fault)
        self.fault = fault
        return Away(fault)


def _confirmation(future: Future[Position]) -> asyncio.Future[Position]:
    # Shielded: whoever stops waiting must not cancel what the client's thread will still resolve.
    return asyncio.shield(asyncio.wrap_future(future))


class QueueSender:
    """Laboratory results to RabbitMQ, each confirmed by the broker and routed to a queue."""

    def __init__(self, host: str, port: int, user: str, password: str, confirm_seconds: float) -> None:
        self._host, self._port, self._user, self._password = host, port, user, password
        self._confirm_seconds = confirm_seconds
        self._exchange: AbstractExchange | None = None
        self.fault: str | None = NOT_ASKED

    async def send(self, event: Ready) -> None:
        """Returns once the event stands in its queue. Raises Away."""
        exchange = self._exchange
        if exchange is None or event.routing_key is None:
            raise Away(self.fault or "there is no queue for this event")
        message = aio_pika.Message(event.value, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, content_type="application/json",
                                   message_id=str(event.event_id), type=event.event_type)
        try:
            # `mandatory` makes the broker hand back what it has no queue for, rather than drop and confirm it.
            await exchange.publish(message, event.routing_key, mandatory=True, timeout=self._confirm_seconds)
        except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
            raise Away(f"RabbitMQ did not confirm: {type(error).__name__}") from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # A lost connection cancels the confirmations that it owed.
            raise Away("RabbitMQ did not confirm: the connection was lost") from None

    async def watch(self) -> None:
        """Keeps a connection open, for ever: whenever it or its channel is lost, makes a new one."""
        while True:
            try:
                await self._serve()
            except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
                self._lost("RabbitMQ cannot be reached", error)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _serve(self) -> None:
        connection = await aio_pika.connect(
            host=self._host, port=self._port, login=self._user, password=self._password, timeout=PROBE_SECONDS * 2,
            heartbeat=HEARTBEAT_SECONDS, client_properties={"connection_name": "clinical-data-gateway"})
        try:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            # The gateway's user may only write: whether the exchange is there shows with the first message.
            self._exchange = await channel.get_exchange(EXCHANGE, ensure=False)
            self.fault = None
            log.info("rabbitmq-connected")
            ends = [asyncio.ensure_future(channel.closed()), asyncio.ensure_future(connection.closed())]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()
            self._lost("the connection to RabbitMQ was lost")
        finally:
            self._exchange = None
            await connection.close()

    def _lost(self, fault: str, error: BaseException | None = None) -> None:
        # Once for each time that it goes, not for each try to reach it again.
        if self.fault in (None, NOT_ASKED):
            log.warning("rabbitmq-away", host=self._host, port=self._port, error=fault, cause=str(error or ""))
        self.fault = fault
