"""Settings of whoever sends simulated patients."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from applications.clinical.simulation import FaultRates
from applications.runtime.settings import ServiceSettings


class SimulatedSettings(ServiceSettings):
    """Who is simulated, how fast, and what goes wrong on purpose."""

    layer: str = "ingestion"
    rate: float = Field(100, ge=0, le=1_000_000)
    """Messages a second; 0 sends as fast as they are taken."""
    patients: int = Field(1000, ge=1, le=100_000)
    seed: int = 1
    patient_prefix: str = Field("K", pattern="^[0-9A-Z]$")
    """The first letter of the pseudonyms, which keeps the patients of two senders apart."""
    first_site: int = Field(1, ge=1, le=990)
    shift: float = Field(0, ge=-5, le=5)
    """How far the levels of all patients are moved, in standard deviations between patients: drift on purpose."""
    total_events: int = Field(0, ge=0)
    """After so many events of now it is done; 0 goes on for ever. Duplicates count besides."""

    fault_duplicate: float = 0.0
    fault_late: float = 0.0
    fault_out_of_order: float = 0.0
    fault_alternate_unit: float = 0.0
    fault_wrong_unit: float = 0.0
    fault_malformed: float = 0.0
    """Shares of the events, 0 to 1, that each fault strikes."""

    state_path: Path = Path("/data/state.json")
    journal_path: Path | None = None
    """Where each confirmed event_id is written, one a line; nowhere unless set, since it grows for ever."""

    @property
    def faults(self) -> FaultRates:
        """The rates of all faults."""
        return FaultRates(
            duplicate=self.fault_duplicate, late=self.fault_late, out_of_order=self.fault_out_of_order,
            alternate_unit=self.fault_alternate_unit, wrong_unit=self.fault_wrong_unit, malformed=self.fault_malformed)

    @model_validator(mode="after")
    def _rates_are_shares(self) -> SimulatedSettings:
        assert self.faults
        return self
