"""Settings of spark-batch, which its jobs read too."""

from __future__ import annotations

from pydantic import Field

from applications.jobs.settings import JobsSettings


class BatchSettings(JobsSettings):
    """What spark-batch is told."""

    spark_master: str = Field(pattern="^(spark://|local)")
    cores: int = Field(2, ge=1)
    """Cores of the cluster that a job may take."""
    driver_memory_mb: int = Field(768, ge=256)
    executor_memory_mb: int = Field(1024, ge=512)
