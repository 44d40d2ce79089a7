"""Settings of feature-engineering, which its jobs read too."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from applications.jobs.settings import JobsSettings


class FeatureSettings(JobsSettings):
    """What feature-engineering is told. `lake_secret_key` and `redis_password` are secret files, as `api_key` is.

    Its folder `data` holds the queue of jobs and what was read of silver; without it, all of silver is read again.
    """

    lake_endpoint: str = Field("http://minio:9000", pattern="^https?://")
    lake_region: str = "us-east-1"
    lake_user: str = Field(min_length=1)
    lake_secret_key: SecretStr = Field(min_length=1)
    redis_host: str = Field("redis", min_length=1)
    redis_port: int = Field(6379, ge=1, le=65535)
    redis_password: SecretStr = Field(min_length=1)

    grid_hours: int = Field(6, ge=1, le=24)
    """The distance of the cut-offs offline, from midnight (UTC) on."""
    refresh_seconds: float = Field(60, ge=0)
    """How long after one the next `incremental` is submitted; 0: never."""
    memory_mb: int = Field(512, ge=128)
    """Memory of the database that reads and sorts events; what is larger goes to disk."""

    @field_validator("grid_hours")
    @classmethod
    def _fills_a_day(cls, value: int) -> int:
        if 24 % value:
            raise ValueError("must divide 24: 1, 2, 3, 4, 6, 8, 12 or 24")
        return value
