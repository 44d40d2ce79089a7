"""Starts kafka-consumer: `python3 -m applications.ingestion.consumer`."""

from __future__ import annotations

import sys
from concurrent.futures import Future

from applications.clinical.reasons import Reason
from applications.ingestion.consumer.bronze import Bronze
from applications.ingestion.consumer.records import Place, Record
from applications.ingestion.consumer.service import Consumption, TopicMadeAnew
from applications.ingestion.consumer.settings import ConsumerSettings
from applications.ingestion.consumer.source import Source, SourceError
from applications.ingestion.consumer.writing import AT_ONCE
from applications.runtime import logs, settings
from applications.runtime.kafka import Position, Publisher, dead_letter
from applications.runtime.logs import log
from applications.runtime.monitor import Monitor
from applications.runtime.stopping import Stop

LARGEST_LETTER = 4 * 1024 * 1024
UNSENT_KB = 16 * 1024
DELIVERY_SECONDS = 15


def main() -> int:
    """Runs until SIGTERM or SIGINT; returns the exit status, 1 when it has to be started again."""
    config = settings.load(ConsumerSettings)
    logs.configure(config)
    stop = Stop()
    publisher = Publisher(config.kafka_bootstrap, config.service, delivery_seconds=DELIVERY_SECONDS,
                          **{"message.max.bytes": LARGEST_LETTER, "queue.buffering.max.kbytes": UNSENT_KB})

    def send(place: Place, record: Record, reason: Reason, raw: bytes) -> Future[Position]:
        return dead_letter(publisher, config.service, [reason], raw, topic=place[0], partition=place[1], offset=record.offset,
                           key=record.key)

    source = Source(config.kafka_bootstrap, config.group, config.topics, config.service)
    lake = Bronze(config.s3_endpoint, config.s3_region, config.lake_user, config.lake_secret_key, config.bucket, AT_ONCE)
    consumption = Consumption(config, source, lake, send)
    monitor = Monitor(config.monitor_port, consumption.checks)
    monitor.start()
    log.info("started", group=config.group, topics=len(config.topics))
    try:
        consumption.run(lambda: stop.requested)
    except (SourceError, TopicMadeAnew) as error:
        # Every point is safe to stop at, and a start looks at everything anew.
        log.error("starting-again", error=str(error))
        return 1
    finally:
        publisher.close()
        monitor.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
