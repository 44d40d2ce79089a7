"""Settings of the log-shipper."""

from pathlib import Path

from pydantic import Field

from applications.runtime.settings import ServiceSettings


class ShipperSettings(ServiceSettings):
    """Where logs are, whose are taken, and where they go."""

    stack: str = Field(min_length=1)
    opensearch_url: str = Field(pattern="^https?://")
    containers: Path = Path("/var/lib/docker/containers")
    state: Path = Path("/state")
    queue_mb: int = Field(256, ge=1)
    """At this size reading pauses."""
