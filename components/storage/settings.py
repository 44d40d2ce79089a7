"""Settings of the storage layer."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from components.settings import LayerSettings


class StorageSettings(LayerSettings):
    """How long the lake keeps things, in days."""

    layer: ClassVar[str] = "storage"
    needs: ClassVar[tuple[str, ...]] = ("infrastructure",)

    old_versions_days: int = Field(30, ge=1)
    """How long a bucket with versions keeps what was overwritten or deleted."""
    quarantine_days: int = Field(90, ge=1)
    backups_days: int = Field(30, ge=1)
    airflow_logs_days: int = Field(30, ge=1)
    """How long the logs of Airflow's tasks are kept."""
