"""Settings that every job endpoint has."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from applications.runtime.api_keys import LEAST_KEY_LENGTH
from applications.runtime.settings import ServiceSettings


class JobsSettings(ServiceSettings):
    """What a job endpoint is told. It answers on `monitor_port`; `api_key` is a secret file."""

    api_key: SecretStr = Field(min_length=LEAST_KEY_LENGTH)
    data: Path = Path("/data")
    """The folder of its volume: the queue, and the log of each job."""
    concurrency: int = Field(1, ge=1, le=16)
    """Jobs that run at a time; the others wait their turn."""
    stop_seconds: float = Field(15, gt=0)
    """How long a job may take to end once it is asked to, until it is killed."""
    keep_jobs: int = Field(500, ge=1)
    """Finished jobs that are remembered, with their logs."""
