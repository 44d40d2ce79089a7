"""Starts clinical-data-generator: `python3 -m applications.ingestion.generator`."""

from __future__ import annotations

import sys

from applications.ingestion.generator.service import Generation
from applications.ingestion.generator.settings import GeneratorSettings
from applications.ingestion.simulated.state import BadState
from applications.runtime import logs, settings
from applications.runtime.logs import log
from applications.runtime.monitor import Monitor
from applications.runtime.stopping import Stop

IDLE_SECONDS = 3600


def main() -> int:
    """Runs until SIGTERM or SIGINT; returns the exit status."""
    config = settings.load(GeneratorSettings)
    logs.configure(config)
    stop = Stop()
    try:
        generation = Generation(config, lambda: stop.requested)
    except BadState as error:
        print(f"clinical-data-generator: {error}", file=sys.stderr)
        return settings.WRONG_SETTINGS
    monitor = Monitor(config.monitor_port, generation.checks)
    monitor.start()
    try:
        generation.run()
        # All that was asked for is sent: stay, so that nobody starts it again.
        while not stop.wait(IDLE_SECONDS):
            log.info("idle")
    except BaseExceptionGroup as errors:
        # A group of one type, and not its words, which could quote an event.
        log.error("failed", errors=[type(error).__name__ for error in errors.exceptions])
        return 1
    except BadState as error:
        log.error("state-lost", error=str(error))
        return 1
    finally:
        monitor.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
