"""Settings of spark-streaming."""

from __future__ import annotations

from pydantic import Field

from applications.runtime.settings import ServiceSettings


class StreamingSettings(ServiceSettings):
    """What spark-streaming is told."""

    spark_master: str = Field(pattern="^(spark://|local)")
    kafka_bootstrap: str = Field(min_length=1)
    cores: int = Field(2, ge=1)
    """Cores of the cluster that it may take; the rest is for jobs."""
    trigger_seconds: float = Field(6, gt=0)
    """How often vital signs and laboratory results are taken; the other types three to five times more rarely."""
    max_offsets: int = Field(20_000, ge=1)
    """Records of a topic that one micro-batch may take."""
    checkpoints: str = "s3a://checkpoints/streaming"
