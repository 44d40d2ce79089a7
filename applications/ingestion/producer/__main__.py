"""Starts kafka-producer: `python3 -m applications.ingestion.producer`."""

from __future__ import annotations

import sys

from applications.ingestion.producer.service import Production
from applications.ingestion.producer.settings import ProducerSettings
from applications.ingestion.simulated.state import BadState
from applications.runtime import logs, settings
from applications.runtime.logs import log
from applications.runtime.monitor import Monitor
from applications.runtime.stopping import Stop

IDLE_SECONDS = 3600


def main() -> int:
    """Runs until SIGTERM or SIGINT; returns the exit status."""
    config = settings.load(ProducerSettings)
    logs.configure(config)
    stop = Stop()
    try:
        production = Production(config, lambda: stop.requested)
    except BadState as error:
        print(f"kafka-producer: {error}", file=sys.stderr)
        return settings.WRONG_SETTINGS
    monitor = Monitor(config.monitor_port, production.checks)
    monitor.start()
    try:
        production.run()
        # All that was asked for is sent: stay, so that nobody starts it again.
        while not stop.wait(IDLE_SECONDS):
            log.info("idle")
    except BadState as error:
        log.error("state-lost", error=str(error))
        return 1
    finally:
        monitor.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
