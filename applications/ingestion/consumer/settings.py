"""Settings of kafka-consumer."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from applications.clinical.models import DEAD_LETTER_TOPIC, EventType
from applications.runtime.settings import ServiceSettings

MEGABYTE = 1024 * 1024
TOPICS = (*(kind.value for kind in EventType), "model-predictions", DEAD_LETTER_TOPIC)


def _split(value: Any) -> Any:
    return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value


class ConsumerSettings(ServiceSettings):
    """What kafka-consumer is told. An object is written when one of the three flush bounds of its partition is reached."""

    service: str = "kafka-consumer"
    layer: str = "ingestion"
    kafka_bootstrap: str = Field(min_length=1)
    group: str = Field("bronze", min_length=1)
    topics: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), Field(min_length=1)] = TOPICS
    """Separated by commas."""
    s3_endpoint: str = Field(pattern="^https?://")
    s3_region: str = "us-east-1"
    lake_user: str = "kafka-consumer"
    lake_secret_key: str = Field(min_length=1, repr=False)
    bucket: str = "bronze"
    flush_records: int = Field(50_000, ge=1)
    flush_bytes: int = Field(16 * MEGABYTE, ge=1)
    flush_seconds: float = Field(10, gt=0)
    """How old a record may become before its object is written."""
    max_memory_bytes: int = Field(128 * MEGABYTE, ge=1)
    """All buffers together; where it is reached, nothing more is read until something is stored."""
    late_seconds: float = Field(60, gt=0)
    """Records that wait so much longer than flush_seconds make the service unhealthy."""
    stop_seconds: float = Field(40, gt=0)
    """How long to store what was read after SIGTERM. What is left is read again by the next start."""

    @model_validator(mode="after")
    def _an_object_fits(self) -> ConsumerSettings:
        if self.flush_bytes > self.max_memory_bytes:
            raise ValueError("flush_bytes must not be more than max_memory_bytes: no object could become full")
        return self
