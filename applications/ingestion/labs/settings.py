"""Settings of the laboratory processor."""

from __future__ import annotations

from pydantic import Field, SecretStr

from applications.runtime.settings import ServiceSettings


class LabsSettings(ServiceSettings):
    """What the processor is told. `amqp_password` is a secret file."""

    service: str = "lab-results-processor"
    layer: str = "ingestion"

    kafka_bootstrap: str = Field(min_length=1)
    amqp_host: str = Field(min_length=1)
    amqp_port: int = Field(5672, ge=1, le=65535)
    amqp_user: str = Field("lab-processor", min_length=1)
    amqp_password: SecretStr

    prefetch: int = Field(200, ge=1, le=5000)
    """How many messages of each queue may be in work. A crash counts one delivery for each of them."""
    stop_seconds: float = Field(15, gt=0)
    """How long what is in work may take to end after SIGTERM."""
