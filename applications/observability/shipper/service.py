"""The log-shipper's process: one thread reads, one sends, and both keep on disk how far they are."""

from __future__ import annotations

import threading
import time

from applications.observability.shipper import metrics
from applications.observability.shipper.reading import Reader
from applications.observability.shipper.sending import Sender
from applications.observability.shipper.settings import ShipperSettings
from applications.observability.shipper.spool import Spool
from applications.runtime.logs import configure, log
from applications.runtime.monitor import Check, Monitor
from applications.runtime.settings import load
from applications.runtime.stopping import Stop

POLL_SECONDS = 1.0
STUCK_SECONDS = 60.0
MEGABYTE = 1024 * 1024


def main() -> None:
    """Ships logs until it is asked to end. What waits then stays on disk."""
    settings = load(ShipperSettings)
    configure(settings)
    stop = Stop()
    spool = Spool(settings.state / "queue", settings.queue_mb * MEGABYTE)
    metrics.LIMIT.set(settings.queue_mb * MEGABYTE)
    reader = Reader(settings.containers, settings.state / "positions.json", settings.stack, spool)
    sending = Sender(spool, settings.opensearch_url, settings.stack, stop.wait)
    sender = threading.Thread(target=sending.run, name="sender", daemon=True)
    sender.start()
    monitor = Monitor(settings.monitor_port, checks(reader, sender, spool))
    monitor.start()
    log.info("started", waiting_bytes=spool.size)
    while not stop.requested and sender.is_alive():
        if not reader.step():
            stop.wait(POLL_SECONDS)
    reader.step()
    stop.ask()
    sender.join(timeout=5)
    monitor.stop()
    log.info("stopped", waiting_bytes=spool.size)


def checks(reader: Reader, sender: threading.Thread, spool: Spool) -> dict[str, Check]:
    """Healthy while logs are read and the queue takes them. An OpenSearch that is away for a while is what the queue is for, and
    makes nobody unhealthy: the metrics tell."""
    return {
        "reading": lambda: None if time.monotonic() - reader.last_step < STUCK_SECONDS else "no log was looked at for a minute",
        "sending": lambda: None if sender.is_alive() else "the sender ended",
        "queue": lambda: "full: OpenSearch has taken nothing for long" if spool.full else None,
    }
