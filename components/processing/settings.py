"""Settings of the processing layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from components.settings import LayerSettings


class ProcessingSettings(LayerSettings):
    """How the Spark cluster is sized; cores are Spark's, of which a machine may be given more than it has."""

    layer: ClassVar[str] = "processing"
    needs: ClassVar[tuple[str, ...]] = ("infrastructure", "ingestion")
    default_ports: ClassVar[Mapping[str, int]] = {"spark-master": 8180, "spark-batch": 8181}
    images: ClassVar[tuple[str, ...]] = ("spark",)
    secrets: ClassVar[tuple[str, ...]] = ("spark-cluster", "spark-jobs-key")

    spark_workers: int = Field(1, ge=1, le=64)
    spark_worker_cores: int = Field(4, ge=2)
    """Tasks that a worker runs at a time; it may use half as many processors."""
    spark_worker_memory_mb: int = Field(3072, ge=1024)
    streaming_cores: int = Field(2, ge=1)
    """The share of the cluster's cores that the stream may take; the rest is for jobs."""
    streaming_trigger_seconds: int = Field(10, ge=1, le=300)
    """How often the stream takes vital signs and laboratory results; the other types three to five times more rarely."""
    streaming_max_offsets: int = Field(20_000, ge=100)
    """Records of one topic that one micro-batch may take."""

    def workers(self) -> list[str]:
        """The names of the workers: the first keeps its name when others are added."""
        return ["spark-worker", *(f"spark-worker-{index + 1}" for index in range(1, self.spark_workers))]

    def batch_cores(self) -> int:
        """What the stream leaves to jobs."""
        return self.spark_workers * self.spark_worker_cores - self.streaming_cores

    def shuffle_partitions(self) -> int:
        """As many as one job can work on at a time: more would only be more small files."""
        return max(self.streaming_cores, self.batch_cores())

    def faults(self) -> Iterator[str]:
        """A stream that leaves nothing for jobs."""
        cores = self.spark_workers * self.spark_worker_cores
        if self.streaming_cores >= cores:
            yield (f"streamingCores: {self.streaming_cores} of {cores} cores leave none for jobs; lower it, or raise "
                   "sparkWorkers or sparkWorkerCores")
