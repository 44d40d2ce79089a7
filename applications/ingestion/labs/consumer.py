"""The connection to RabbitMQ: consumes while Kafka is there, pauses while it is away, comes back after every loss."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractQueue
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from applications.ingestion.labs import metrics
from applications.ingestion.labs.carrier import Carrier
from applications.ingestion.labs.kafka_watch import KafkaWatch
from applications.ingestion.labs.settings import LabsSettings
from applications.ingestion.labs.verdicts import (
    DEAD_LETTER_QUEUE,
    PRIORITY_QUEUE,
    RESULTS_QUEUE,
    Handle,
    given_up,
    laboratory_result,
)
from applications.runtime.logs import log
from applications.runtime.stopping import Stop

HANDLES: Mapping[str, Handle] = {PRIORITY_QUEUE: laboratory_result, RESULTS_QUEUE: laboratory_result,
                                 DEAD_LETTER_QUEUE: given_up}
CONNECT_SECONDS = 5
HEARTBEAT_SECONDS = 5
"""A connection without three of them is a lost one."""
LOOK_SECONDS = 0.1
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0


@dataclass
class Line:
    """One queue on a channel of its own, so that none waits for another's prefetch. `tag` is its consumer's, if it has one."""

    queue: AbstractQueue
    tag: str | None = None
    ended: bool = False

    def end(self, _: object) -> None:
        """Notes that RabbitMQ ended the consumer."""
        self.ended = True

    @property
    def broken(self) -> bool:
        """Whether nothing more will come."""
        return self.ended or self.queue.channel.is_closed


class Consumer:
    """Feeds the carrier until asked to stop. `fault` says why nothing is consumed now, or is None."""

    def __init__(self, settings: LabsSettings, carrier: Carrier, kafka: KafkaWatch, stop: Stop) -> None:
        self._settings, self._carrier, self._kafka, self._stop = settings, carrier, kafka, stop
        self._where = f"RabbitMQ at {settings.amqp_host}:{settings.amqp_port}"
        self.fault: str | None = "RabbitMQ was not asked yet"
        metrics.AVAILABLE.labels("rabbitmq").set_function(lambda: float(self.fault is None))

    async def run(self) -> None:
        """Consumes until asked to stop; what is in hand then is finished first."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stop.requested:
            try:
                await self._serve()
                pause = FIRST_PAUSE_SECONDS
            except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
                self._lost(f"{self._where} cannot be used: {type(error).__name__}: {error}".removesuffix(": "))
                await self._sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _serve(self) -> None:
        """Serves one connection to its end. Raises when it cannot be made."""
        settings = self._settings
        connection = await aio_pika.connect(
            host=settings.amqp_host, port=settings.amqp_port, login=settings.amqp_user,
            password=settings.amqp_password.get_secret_value(), timeout=CONNECT_SECONDS, heartbeat=HEARTBEAT_SECONDS,
            client_properties={"connection_name": settings.service})
        try:
            lines = {name: await self._open(connection, name) for name in HANDLES}
            log.info("rabbitmq-connected")
            while not self._stop.requested:
                if any(line.broken for line in lines.values()):
                    self._lost(f"the connection to {self._where} or one of its consumers was lost")
                    return
                if self._kafka.fault is None:
                    await self._consume(lines)
                else:
                    await self._pause(lines)
                await asyncio.sleep(LOOK_SECONDS)
            await self._pause(lines)
            self.fault = "stopping"
            left = await self._carrier.finish(settings.stop_seconds)
            log.info("stopped", given_back=left)
        finally:
            await connection.close()

    async def _open(self, connection: AbstractConnection, name: str) -> Line:
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=self._settings.prefetch)
        # The processor's user may only read: whether the queue is there shows when it consumes.
        line = Line(await channel.get_queue(name, ensure=False))
        (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(line.end)
        return line

    async def _consume(self, lines: Mapping[str, Line]) -> None:
        for name, line in lines.items():
            if line.tag is None:
                line.tag = await line.queue.consume(partial(self._carrier.carry, name, HANDLES[name]))
        self.fault = None

    async def _pause(self, lines: Mapping[str, Line]) -> None:
        """Asks for no more. What was delivered stays in hand, and does not count as given back."""
        for line in lines.values():
            if line.tag is not None:
                await line.queue.cancel(line.tag)
                line.tag = None
        self.fault = "paused: messages wait in their queues until Kafka is there"

    async def _sleep(self, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not self._stop.requested and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(LOOK_SECONDS)

    def _lost(self, fault: str) -> None:
        if fault != self.fault:
            log.warning("rabbitmq-away", error=fault)
        self.fault = fault
