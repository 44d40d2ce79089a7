"""The queries: one a type, one for the dead letters, each restarted when it fails for a reason that can pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prometheus_client import Counter, Gauge, Histogram
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from applications.clinical.models import DEAD_LETTER_TOPIC, INGRESS, EventType
from applications.processing.mapping import refined, unsealed
from applications.processing.storing import Stored, merge_quarantine, store
from applications.processing.streaming.letters import to_letters
from applications.processing.streaming.settings import StreamingSettings
from applications.runtime.logs import log

ROWS = Counter("streaming_rows", "Records by what became of them", ["query", "outcome"])
SECONDS = Histogram("streaming_batch_seconds", "Time to write a micro-batch", ["query"],
                    buckets=(0.5, 1, 2, 5, 10, 20, 30, 60, 120))
LAST_BATCH = Gauge("streaming_last_batch_time", "When the last micro-batch was stored (seconds since 1970)", ["query"])
LATEST_EVENT = Gauge("streaming_latest_event_time", "The latest event time that was stored (seconds since 1970)", ["query"])
ACTIVE = Gauge("streaming_query_active", "Whether the query runs", ["query"])
RESTARTS = Counter("streaming_query_restarts", "Restarts after a failure", ["query"])
DATA_LOSS = Gauge("streaming_data_loss", "Whether Kafka no longer has records that were not read yet", ["query"])

LATENESS = "1 hour"
"""What counts as late in the progress reports. Nothing is dropped for it: merges take an event however late it is."""
DATA_LOSS_WORDS = ("failOnDataLoss", "data may have been lost", "KAFKA_DATA_LOSS")
RARER = {EventType.ADVERSE_EVENTS: 3, EventType.MEDICATIONS: 4, EventType.DEMOGRAPHICS: 5, DEAD_LETTER_TOPIC: 4}
"""How many times rarer than the others a query runs. A micro-batch costs the same for ten records as for a thousand: at one
pace, and all at the same moment, those with few records would take most of the processors from vital signs and results."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 60.0
SILENT_SECONDS, BUSY_SECONDS = 180.0, 1800.0
"""A query that waits for records reports every ten seconds, one that writes a micro-batch only at its end: so long without a report
it hangs. A batch that takes minutes on a busy machine is late, which its freshness says, and not ill."""


@dataclass
class Query:
    """One query and how it fares."""

    spark: SparkSession
    settings: StreamingSettings
    topic: str
    running: StreamingQuery | None = None
    failure: str = ""
    lost_data: bool = False
    failures: int = 0
    not_before: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        """Starts the query from its checkpoint, or from the beginning of the topic where there is none."""
        self.spark.sparkContext.setLocalProperty("spark.scheduler.pool", self.topic)  # its fair share beside the others
        records = (self.spark.readStream.format("kafka")
                   .option("kafka.bootstrap.servers", self.settings.kafka_bootstrap).option("subscribe", self.topic)
                   .option("startingOffsets", "earliest").option("failOnDataLoss", "true")
                   .option("maxOffsetsPerTrigger", self.settings.max_offsets).load())
        # A task for each core and not for each partition: a small task costs more than its few records.
        rows, write = self._parts(records.coalesce(self.settings.cores))
        seconds = self.settings.trigger_seconds * RARER.get(self.topic, 1)
        self.running = (rows.writeStream.queryName(self.topic).foreachBatch(write)
                        .option("checkpointLocation", f"{self.settings.checkpoints}/{self.topic}")
                        .trigger(processingTime=f"{int(seconds * 1000)} milliseconds").start())
        self.started = time.monotonic()
        ACTIVE.labels(self.topic).set(1)
        log.info("query-started", query=self.topic)

    def _parts(self, records: DataFrame) -> tuple[DataFrame, Callable[[DataFrame, int], None]]:
        if self.topic == DEAD_LETTER_TOPIC:
            return unsealed(records), self._write(lambda batch: Stored(
                quarantined=merge_quarantine(batch.sparkSession, batch)))
        kind, refuse = EventType(self.topic), to_letters(self.settings.kafka_bootstrap, self.settings.service)
        return refined(records, kind).withWatermark("event_time", LATENESS), self._write(
            lambda batch: store(batch.sparkSession, batch, kind, refuse))

    def _write(self, action: Callable[[DataFrame], Stored]) -> Callable[[DataFrame, int], None]:
        def write(batch: DataFrame, number: int) -> None:
            begin = time.monotonic()
            done = action(batch)
            seconds = time.monotonic() - begin
            for outcome in ("accepted", "repeated", "quarantined"):
                ROWS.labels(self.topic, outcome).inc(getattr(done, outcome))
            SECONDS.labels(self.topic).observe(seconds)
            LAST_BATCH.labels(self.topic).set(time.time())
            if done.latest:
                LATEST_EVENT.labels(self.topic).set(done.latest.replace(tzinfo=UTC).timestamp())
            self.failures, self.failure = 0, ""
            log.info("batch-stored", query=self.topic, batch=number, records=done.records, accepted=done.accepted,
                     repeated=done.repeated, quarantined=done.quarantined, seconds=round(seconds, 2))
        return write

    def tend(self) -> None:
        """Notes a failure down, and starts the query again when its pause is over; after a loss of data it stays ended."""
        if self.running is not None and not self.running.isActive:
            self._note(self.running.exception())
            self.running = None
        if self.running is None and not self.lost_data and time.monotonic() >= self.not_before:
            try:
                self.start()
                RESTARTS.labels(self.topic).inc()
            except Exception as error:  # the store or the broker is away: as good a failure as a later one
                self._note(error)

    def _note(self, error: StreamingQueryException | Exception | None) -> None:
        words = str(error or "it ended without an error")
        self.failures += 1
        self.lost_data = any(word in words for word in DATA_LOSS_WORDS)
        self.failure = words.strip().splitlines()[0][:300]
        self.not_before = time.monotonic() + min(FIRST_PAUSE_SECONDS * 2 ** (self.failures - 1), LONGEST_PAUSE_SECONDS)
        ACTIVE.labels(self.topic).set(0)
        DATA_LOSS.labels(self.topic).set(self.lost_data)
        log.error("query-failed", query=self.topic, data_loss=self.lost_data, error=words[:4000])

    def check(self) -> str | None:
        """None while the query works, else what is wrong and what to do."""
        if self.lost_data:
            return ("Kafka no longer has records that were not read yet. They may stand in bronze: run the job backfill for "
                    f"these days, then remove the checkpoint {self.settings.checkpoints}/{self.topic} and restart this service")
        if self.running is None or not self.running.isActive:
            return f"does not run; it failed {self.failures} times, the last time with: {self.failure or 'no error yet'}"
        age, busy = self._silence(), self.running.status["isTriggerActive"]
        return f"has not reported for {age:.0f} s" if age > (BUSY_SECONDS if busy else SILENT_SECONDS) else None

    def _silence(self) -> float:
        progress = self.running.lastProgress if self.running else None
        since_start = time.monotonic() - self.started
        if progress is None:
            return since_start
        reported = datetime.fromisoformat(str(progress["timestamp"]).replace("Z", "+00:00"))
        return min(since_start, (datetime.now(UTC) - reported).total_seconds())

    def stop(self, seconds: float) -> None:
        """Ends the query between two micro-batches, or within one when that takes longer than `seconds`; nothing is lost either
        way, since an unfinished batch is done again."""
        if self.running is not None and self.running.isActive:
            deadline = time.monotonic() + seconds
            while self.running.status["isTriggerActive"] and time.monotonic() < deadline:
                time.sleep(0.1)
            self.running.stop()


def queries(spark: SparkSession, settings: StreamingSettings) -> list[Query]:
    """All queries, not started yet."""
    return [Query(spark, settings, str(topic)) for topic in (*INGRESS, DEAD_LETTER_TOPIC)]
