"""Whether Kafka is there: the processor takes messages only while it is."""

from __future__ import annotations

import asyncio

from applications.ingestion.labs import metrics
from applications.runtime.kafka import Publisher
from applications.runtime.logs import log

PROBE_SECONDS = 1


class KafkaWatch:
    """Asks the broker every second. `fault` says why it cannot be used now, or is None."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._there = asyncio.Event()
        self.fault: str | None = "Kafka was not asked yet"
        metrics.AVAILABLE.labels("kafka").set_function(lambda: float(self.fault is None))

    async def run(self) -> None:
        """Asks, for ever."""
        while True:
            fault = await asyncio.to_thread(self._publisher.check)
            if fault is None and self.fault is not None:
                log.info("kafka-there")
            elif fault is not None and self.fault is None:
                log.warning("kafka-away", error=fault)
            self.fault = fault
            (self._there.clear if fault else self._there.set)()
            await asyncio.sleep(PROBE_SECONDS)

    async def there(self) -> None:
        """Returns once Kafka is there."""
        await self._there.wait()
