"""Starts the gateway: `python3 -m applications.ingestion.gateway`."""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3
import sys
from typing import Any

from applications.ingestion.gateway.app import create_app
from applications.ingestion.gateway.door import Door
from applications.ingestion.gateway.health import Health, keep_ledger
from applications.ingestion.gateway.intake import Intake
from applications.ingestion.gateway.ledger import Ledger
from applications.ingestion.gateway.limits import Held, Rate
from applications.ingestion.gateway.mllp import Mllp
from applications.ingestion.gateway.senders import KafkaSender, QueueSender
from applications.ingestion.gateway.settings import GatewaySettings
from applications.runtime import logs, settings
from applications.runtime.api_keys import ApiKeys
from applications.runtime.kafka import Publisher
from applications.runtime.logs import log
from applications.runtime.web import keep, server, unexpected

# A record may be as large as the broker takes: a body as base64 and its reasons. What the client says of each try to
# reconnect is left out: KafkaSender says once that Kafka went and once that it is back.
KAFKA: dict[str, Any] = {"message.max.bytes": 4_000_000, "reconnect.backoff.max.ms": 1000, "error_cb": lambda _: None}


def main() -> int:
    """Runs until SIGTERM or SIGINT; returns the exit status."""
    config = settings.load(GatewaySettings)
    logs.configure(config)
    # Its warnings are tracebacks of each lost connection, of which QueueSender tells.
    logging.getLogger("aiormq").setLevel(logging.ERROR)
    try:
        ledger = Ledger(config.ledger_path)
    except (sqlite3.Error, OSError) as error:
        print(f"gateway: the ledger {config.ledger_path} cannot be opened: {error}. Its folder must be a volume that this user may "
              "write; a damaged file can be moved away, repeats are then taken again", file=sys.stderr)
        return settings.WRONG_SETTINGS
    publisher = Publisher(config.kafka_bootstrap, config.service, linger_ms=1, delivery_seconds=config.confirm_seconds, **KAFKA)
    try:
        asyncio.run(serve(config, ledger, publisher))
    finally:
        left = publisher.close(config.confirm_seconds)
    log.info("ended", unconfirmed=left)
    return 0


async def serve(config: GatewaySettings, ledger: Ledger, publisher: Publisher) -> None:
    """Answers on both ports until asked to stop; then takes no more, and ends what is in flight."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(unexpected)
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    kafka = KafkaSender(publisher, config.service)
    queue = QueueSender(config.amqp_host, config.amqp_port, config.amqp_user, config.amqp_password.get_secret_value(),
                        config.confirm_seconds)
    intake = Intake(kafka, queue, ledger, config.confirm_seconds)
    rate = Rate(config.rate_per_second, config.burst)
    door = Door(intake, ApiKeys(config.api_keys.get_secret_value()), rate, Held(config.max_held_bytes),
                config.max_body_bytes, config.read_seconds)
    app = create_app(door, Health({"kafka": kafka, "rabbitmq": queue, "ledger": ledger}))
    http = server(app, config.http_port, config.stop_seconds)
    mllp = Mllp(intake, rate, max_body_bytes=config.max_body_bytes, max_connections=config.max_connections,
                read_seconds=config.read_seconds, idle_seconds=config.idle_seconds)

    background = [keep(work, asked.set) for work in (kafka.watch(), queue.watch(), keep_ledger(ledger, config.ledger_days))]

    await mllp.start(config.mllp_port)
    serving = asyncio.create_task(http.serve())
    # A port that is taken ends the server by itself.
    serving.add_done_callback(lambda _: asked.set())
    log.info("started", http_port=config.http_port, mllp_port=config.mllp_port)
    await asked.wait()
    log.info("stopping")
    http.should_exit = True
    await asyncio.gather(serving, mllp.stop(config.stop_seconds))
    left = await intake.finish(config.confirm_seconds)
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    await ledger.close()
    log.info("stopped", unconfirmed=left)


if __name__ == "__main__":
    sys.exit(main())
