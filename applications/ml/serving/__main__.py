"""Starts model-serving: `python3 -m applications.ml.serving`."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

from applications.ml.features.online import OnlineFeatures
from applications.ml.model.registry import NAME, Registry
from applications.ml.serving.adapters import MlflowRegistry, OnlineStore
from applications.ml.serving.app import create_app
from applications.ml.serving.audit import Audit
from applications.ml.serving.door import Door
from applications.ml.serving.health import Health, keep_looking
from applications.ml.serving.judging import Judge
from applications.ml.serving.models import Models
from applications.ml.serving.service import Predictions
from applications.ml.serving.settings import ServingSettings
from applications.ml.serving.store import Store
from applications.runtime import logs, settings
from applications.runtime.api_keys import ApiKeys
from applications.runtime.kafka import Publisher
from applications.runtime.logs import log
from applications.runtime.web import keep, server, unexpected

LOOK_SECONDS = 2
# What the client says of each try to reconnect is left out: Audit says once that Kafka went and once that it is back.
KAFKA: dict[str, Any] = {"reconnect.backoff.max.ms": 1000, "error_cb": lambda _: None}


def main() -> int:
    """Runs until SIGTERM or SIGINT; returns the exit status."""
    config = settings.load(ServingSettings)
    logs.configure(config)
    publisher = Publisher(config.kafka_bootstrap, config.service, linger_ms=1, delivery_seconds=config.confirm_seconds, **KAFKA)
    try:
        failed = asyncio.run(serve(config, publisher))
    finally:
        left = publisher.close(config.confirm_seconds)
    log.info("ended", unconfirmed=left)
    return int(failed)


async def serve(config: ServingSettings, publisher: Publisher) -> bool:
    """Answers until asked to stop; then takes no more, and ends what is in flight. Returns whether it ended unasked."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(unexpected)
    asked, ended = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        asked.set()
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    store = Store(OnlineStore(OnlineFeatures(config)))
    audit = Audit(publisher)
    models = Models(MlflowRegistry(Registry(config.mlflow_uri)), NAME)
    predictions = Predictions(models, Judge(store, config.max_age_seconds, config.max_missing_share), audit, config.workers)
    door = Door(predictions, ApiKeys(config.api_keys.get_secret_value()), max_body_bytes=config.max_body_bytes,
                read_seconds=config.read_seconds, max_in_flight=config.max_in_flight)
    app = create_app(door, models, Health(models, {"features": store, "audit": audit}))
    http = server(app, config.http_port, config.stop_seconds)
    background = [keep(keep_looking(look, seconds), ended.set) for look, seconds in (
        (models.look, config.poll_seconds), (store.look, LOOK_SECONDS), (audit.look, LOOK_SECONDS))]
    serving = asyncio.create_task(http.serve())
    # A port that is taken ends the server by itself.
    serving.add_done_callback(lambda _: ended.set())
    log.info("started", http_port=config.http_port)
    await ended.wait()
    log.info("stopping")
    http.should_exit = True
    await serving
    predictions.close()
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    return not asked.is_set()


if __name__ == "__main__":
    sys.exit(main())
