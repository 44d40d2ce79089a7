"""Settings of model-serving."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from applications.runtime.api_keys import ApiKeys
from applications.runtime.settings import ServiceSettings

MIB = 1024 * 1024


class ServingSettings(ServiceSettings):
    """What model-serving is told. `redis_password` and `api_keys` are secret files."""

    service: str = "model-serving"
    layer: str = "ml"
    http_port: int = Field(8080, ge=1, le=65535)

    kafka_bootstrap: str = Field(min_length=1)
    redis_host: str = Field("redis", min_length=1)
    redis_port: int = Field(6379, ge=1, le=65535)
    redis_password: SecretStr
    mlflow_uri: str = Field("http://mlflow-server:5000", pattern="^https?://")
    api_keys: SecretStr
    """Lines `client:key`."""

    max_age_seconds: float = Field(3600, gt=0)
    """The greatest age of a patient's features with which a prediction is made."""
    max_missing_share: float = Field(0.6, ge=0, le=1)
    """The greatest share of features that may be unknown."""
    poll_seconds: float = Field(3, gt=0)
    """How often the registry is asked which version is champion."""

    workers: int = Field(2, ge=1, le=16)
    """Threads that read features and score."""
    max_in_flight: int = Field(64, ge=1)
    """Requests in work at a time; above it they are put off with 503."""
    max_body_bytes: int = Field(2 * MIB, ge=1024, le=16 * MIB)
    """The largest body: 500 instances with all their features are below 2 MiB."""
    read_seconds: float = Field(10, gt=0)
    """How long one body may take to arrive."""
    confirm_seconds: float = Field(5, gt=0)
    """How long Kafka may take to confirm an audit record before the caller is told to come again."""
    stop_seconds: float = Field(15, gt=0)
    """How long requests in flight may take to end after SIGTERM."""

    @field_validator("api_keys")
    @classmethod
    def _keys_are_well_formed(cls, value: SecretStr) -> SecretStr:
        ApiKeys(value.get_secret_value())
        return value
