"""Settings of clinical-data-generator."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from applications.ingestion.generator.forms import Form
from applications.ingestion.simulated.settings import SimulatedSettings


class GeneratorSettings(SimulatedSettings):
    """What clinical-data-generator is told. `api_key` is a secret file."""

    service: str = "clinical-data-generator"
    rate: float = Field(5, ge=0, le=10_000)
    """Events a second; 0 sends as fast as they are taken."""
    patients: int = Field(200, ge=1, le=100_000)
    patient_prefix: str = Field("G", pattern="^[0-9A-Z]$")
    first_site: int = Field(101, ge=1, le=990)

    gateway_url: str = Field(pattern="^https?://[^/]+/?$")
    api_key: SecretStr
    mllp_host: str = Field(min_length=1)
    mllp_port: int = Field(2575, ge=1, le=65535)

    share_fhir: float = Field(0.3, ge=0)
    share_hl7: float = Field(0.15, ge=0)
    share_mllp: float = Field(0.15, ge=0)
    share_json: float = Field(0.25, ge=0)
    share_ndjson: float = Field(0.15, ge=0)
    """How often each form has its turn, in proportion to the others. What HL7 has no place for goes in the other forms, what
    is malformed or in a wrong unit as native JSON."""
    batch_events: int = Field(5, ge=1, le=500)
    """Events in one FHIR Bundle or NDJSON body."""
    connections: int = Field(8, ge=1, le=256)
    """Requests at the same time."""
    stop_seconds: float = Field(20, gt=0)
    """How long to wait for the gateway's answers after SIGTERM."""

    @property
    def shares(self) -> dict[Form, float]:
        """The share of each form."""
        return {form: getattr(self, f"share_{form}") for form in Form}

    @model_validator(mode="after")
    def _something_is_sent(self) -> GeneratorSettings:
        if not sum(self.shares.values()):
            raise ValueError("every share is 0; set one of share_fhir, share_hl7, share_mllp, share_json, share_ndjson")
        return self
