"""Starts the laboratory processor: `python3 -m applications.ingestion.labs`."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from applications.ingestion.labs.carrier import Carrier
from applications.ingestion.labs.consumer import Consumer
from applications.ingestion.labs.kafka_watch import KafkaWatch
from applications.ingestion.labs.settings import LabsSettings
from applications.runtime import logs, settings
from applications.runtime.kafka import Publisher
from applications.runtime.logs import log
from applications.runtime.monitor import Monitor
from applications.runtime.stopping import Stop

CLOSE_SECONDS = 5
# A record may be as large as the broker takes. What the client says of each try to reconnect is left out: KafkaWatch says
# once that Kafka went and once that it is back.
KAFKA: dict[str, Any] = {"message.max.bytes": 4_000_000, "reconnect.backoff.max.ms": 1000, "error_cb": lambda _: None}


def main() -> int:
    """Runs until SIGTERM or SIGINT; returns the exit status."""
    config = settings.load(LabsSettings)
    logs.configure(config)
    # Its warnings are tracebacks of each lost connection, of which Consumer tells.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    stop = Stop()
    publisher = Publisher(config.kafka_bootstrap, config.service, **KAFKA)
    try:
        asyncio.run(serve(config, publisher, stop))
    finally:
        left = publisher.close(CLOSE_SECONDS)
    log.info("ended", unconfirmed=left)
    return 0


async def serve(config: LabsSettings, publisher: Publisher, stop: Stop) -> None:
    """Carries messages until asked to stop. A task that fails ends the process, which is then started again."""
    kafka = KafkaWatch(publisher)
    carrier = Carrier(publisher, kafka)
    consumer = Consumer(config, carrier, kafka, stop)
    monitor = Monitor(config.monitor_port, {"kafka": lambda: kafka.fault, "rabbitmq": lambda: consumer.fault,
                                            "publishing": lambda: carrier.fault})
    monitor.start()
    log.info("started", monitor_port=config.monitor_port)
    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(kafka.run())
            await consumer.run()
            watching.cancel()
    finally:
        monitor.stop()


if __name__ == "__main__":
    sys.exit(main())
