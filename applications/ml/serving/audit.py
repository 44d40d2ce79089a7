"""The audit of predictions: each is a record in Kafka before anyone sees it."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from typing import Any, Protocol

from applications.clinical.predictions import PREDICTIONS_TOPIC, Prediction
from applications.ml.serving import metrics
from applications.ml.serving.ports import Unavailable
from applications.runtime.kafka import PublishError
from applications.runtime.logs import log

NOT_ASKED = "Kafka has not been asked yet"


class Recorder(Protocol):
    """What is needed of a publisher."""

    def publish(self, topic: str, key: str | bytes | None, value: bytes) -> Future[Any]:
        """A future that is done once all replicas have the record, or fails with PublishError."""

    def check(self) -> str | None:
        """None when a broker answers, else what is wrong. Blocks."""


class Audit:
    """Writes predictions down. `fault` says why it cannot do so now, or is None."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.fault: str | None = NOT_ASKED

    def require(self) -> None:
        """Raises Unavailable while the broker was away at the last look: nothing more is queued for it then."""
        if self.fault is not None:
            raise Unavailable(self.fault)

    async def record(self, prediction: Prediction) -> None:
        """Returns once all replicas have the record. Raises Unavailable."""
        self.require()
        key = prediction.patient_id or str(prediction.prediction_id)
        began = time.perf_counter()
        confirmation = self._recorder.publish(PREDICTIONS_TOPIC, key, prediction.as_json())
        try:
            # Shielded: whoever stops waiting must not cancel what the client's thread will still resolve.
            await asyncio.shield(asyncio.wrap_future(confirmation))
        except PublishError as error:
            self._lost(f"Kafka did not confirm the audit record: {error}")
            raise Unavailable(f"Kafka did not confirm the audit record: {error}") from None
        metrics.AUDIT_SECONDS.observe(time.perf_counter() - began)

    def look(self) -> None:
        """Asks the broker whether it is there. Blocks."""
        fault = self._recorder.check()
        if fault is not None:
            self._lost(fault)
        elif self.fault is not None:
            log.info("kafka-reached")
            self.fault = None

    def _lost(self, fault: str) -> None:
        if self.fault in (None, NOT_ASKED):
            log.warning("kafka-away", error=fault)
        self.fault = fault
