"""Metrics of kafka-consumer."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter("consumer_records", "Records stored in bronze", ["topic"])
BYTES = Counter("consumer_bytes", "Bytes of bronze objects stored", ["topic"])
OBJECTS = Counter("consumer_objects", "Bronze objects stored", ["topic"])
FLUSH_SECONDS = Histogram("consumer_flush_seconds", "Time to write all objects that were due, and to commit them",
                          buckets=(0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60))
BUFFERED = Gauge("consumer_buffered_bytes", "Memory of records that are read and not stored yet")
LAG = Gauge("consumer_lag", "Offsets of a partition that are in Kafka and not in bronze yet", ["topic", "partition"])
DEAD_LETTERS = Counter("consumer_dead_letters", "Records reported because they cannot be read", ["topic", "reason"])
STORE_ERRORS = Counter("consumer_store_errors", "Objects that could not be stored, reported or committed; each is tried again")
AGED_OUT = Counter("consumer_aged_out", "Offsets that Kafka removed before they were read", ["topic"])
PAUSED = Gauge("consumer_paused", "Whether reading stands still because the buffers are full")
LAST_STORED = Gauge("consumer_last_stored_time", "When the last object was stored (seconds since 1970)")
