"""Starts monitoring-service: `python3 -m applications.monitoring.service`."""

from __future__ import annotations

import sys
import threading

from prometheus_client import REGISTRY

from applications.monitoring.service.app import create_app
from applications.monitoring.service.measuring import Measurement, Published
from applications.monitoring.service.platform import Platform, read
from applications.monitoring.service.settings import MonitoringSettings
from applications.monitoring.service.state import State
from applications.monitoring.service.work import measurements, open_alerts
from applications.runtime import logs, settings
from applications.runtime.logs import log
from applications.runtime.settings import WRONG_SETTINGS
from applications.runtime.stopping import Stop
from applications.runtime.web import server

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 5


def main() -> int:
    """Measures and answers until SIGTERM or SIGINT; returns the exit status."""
    config = settings.load(MonitoringSettings)
    logs.configure(config)
    stop = Stop()
    try:
        platform = read(config.platform_file)
        runbook = config.runbook_file.read_text(encoding="utf-8") if config.runbook_file.exists() else "# Runbook\n"
        config.data.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        print(f"{config.service}: {config.platform_file}, {config.runbook_file} or {config.data} cannot be used: {error}",
              file=sys.stderr)
        return WRONG_SETTINGS
    return serve(config, platform, runbook, stop)


def serve(config: MonitoringSettings, platform: Platform, runbook: str, stop: Stop) -> int:
    """Runs everything until asked to stop. A port that is taken ends it with status 1."""
    alerts = open_alerts(config)
    all_of_them = measurements(config, platform, alerts)
    REGISTRY.register(Published(all_of_them))
    app = create_app(State(platform, all_of_them, alerts), alerts, config.alert_webhook.get_secret_value(),
                     {measurement.name: measurement.check for measurement in all_of_them}, runbook)
    http = server(app, config.monitor_port, ANSWER_SECONDS)
    serving = threading.Thread(target=http.run, name="http", daemon=True)
    serving.start()
    ending = threading.Event()
    for measurement in all_of_them:
        start(measurement, ending)
    log.info("started", port=config.monitor_port, measurements=[measurement.name for measurement in all_of_them])
    while serving.is_alive() and not stop.wait(LOOK_SECONDS):
        pass
    # Threads that wait for an answer end with the process: they only read.
    ending.set()
    http.should_exit = True
    serving.join(timeout=10)
    log.info("stopped")
    return int(not stop.requested)


def start(measurement: Measurement, ending: threading.Event) -> None:
    """Begins to measure, in a thread."""
    threading.Thread(target=measurement.forever, args=(ending,), name=measurement.name, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
