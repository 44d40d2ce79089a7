"""Settings of the gateway."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from applications.runtime.api_keys import ApiKeys
from applications.runtime.settings import ServiceSettings

MIB = 1024 * 1024


class GatewaySettings(ServiceSettings):
    """What the gateway is told. `amqp_password` and `api_keys` are secret files."""

    service: str = "clinical-data-gateway"
    layer: str = "ingestion"
    http_port: int = Field(8000, ge=1, le=65535)
    mllp_port: int = Field(2575, ge=1, le=65535)

    kafka_bootstrap: str = Field(min_length=1)
    amqp_host: str = Field(min_length=1)
    amqp_port: int = Field(5672, ge=1, le=65535)
    amqp_user: str = Field("gateway", min_length=1)
    amqp_password: SecretStr
    api_keys: SecretStr
    """Lines `client:key`."""

    rate_per_second: float = Field(1000, gt=0)
    """Requests of one client a second, over time; one MLLP peer's messages alike."""
    burst: int = Field(2000, ge=1)
    """Requests that one client may send at once after a pause."""
    max_body_bytes: int = Field(MIB, ge=1024, le=2 * MIB)
    """The largest body or MLLP message. At most 2 MiB: base64 in a dead letter, it must fit a record of 4 MiB."""
    max_held_bytes: int = Field(64 * MIB, ge=4 * MIB)
    """The most that bodies in work may hold together; above it requests are put off with 503."""
    max_connections: int = Field(64, ge=1)
    """MLLP connections at a time."""
    read_seconds: float = Field(15, gt=0)
    """How long one body or MLLP message may take to arrive."""
    idle_seconds: float = Field(300, gt=0)
    """How long an MLLP connection may stay silent between messages."""
    confirm_seconds: float = Field(5, gt=0)
    """How long a broker may take to confirm before the sender is told to come again."""
    stop_seconds: float = Field(15, gt=0)
    """How long requests in flight may take to end after SIGTERM."""

    ledger_path: Path = Path("/data/ledger.sqlite")
    ledger_days: int = Field(7, ge=1)
    """For how many days the ids of taken events are remembered."""

    @field_validator("api_keys")
    @classmethod
    def _keys_are_well_formed(cls, value: SecretStr) -> SecretStr:
        ApiKeys(value.get_secret_value())
        return value
