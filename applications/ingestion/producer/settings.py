"""Settings of kafka-producer."""

from __future__ import annotations

from pydantic import Field

from applications.ingestion.simulated.settings import SimulatedSettings


class ProducerSettings(SimulatedSettings):
    """What kafka-producer is told."""

    service: str = "kafka-producer"
    kafka_bootstrap: str = Field(min_length=1)
    history_days: float = Field(0, ge=0, le=170)
    """Days of back-dated history that the first start sends before the present; 0 sends none. Patients enrolled up to 180
    days before."""
    history_rate: float = Field(2000, ge=0)
    """Messages of the history a second; 0 sends them as fast as they are taken."""
    vitals_minutes: float = Field(60, ge=1, le=1440)
    """Minutes between two sets of vitals of a patient in the history."""
    stop_seconds: float = Field(20, gt=0)
    """How long to wait for confirmations after SIGTERM."""
