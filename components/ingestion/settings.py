"""Settings of the ingestion layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from components.settings import LayerSettings


class IngestionSettings(LayerSettings):
    """How many simulated patients there are and what they send, and how the services are bounded.

    Rates are events a second; shares are parts of one.
    """

    layer: ClassVar[str] = "ingestion"
    needs: ClassVar[tuple[str, ...]] = ("infrastructure",)
    default_ports: ClassVar[Mapping[str, int]] = {"clinical-data-gateway": 8000, "gateway-mllp": 2575, "clinical-mq": 15672}
    images: ClassVar[tuple[str, ...]] = ("rabbitmq", "ingestion")
    secrets: ClassVar[tuple[str, ...]] = ("mq-gateway", "mq-lab-processor", "mq-monitor", "gateway-key-generator",
                                          "gateway-key-site")

    simulation_seed: int = Field(42, ge=0)
    simulated_patients: int = Field(1000, ge=1, le=100_000)
    simulated_history_days: int = Field(0, ge=0, le=90)
    """Days of earlier events that the producer sends at its first start."""
    simulated_history_vitals_minutes: int = Field(120, ge=1, le=1440)
    """Minutes between two sets of vital signs of a patient in that history."""
    simulated_shift: float = Field(0, ge=-5, le=5)
    """How far the levels of the patients' vitals and laboratory results are moved, in standard deviations between patients: drift
    on purpose. The patients stay who they are."""
    producer_rate: float = Field(100, gt=0, le=20_000)
    """Events a second that go straight to Kafka."""
    generator_rate: float = Field(5, gt=0, le=1000)
    """Messages a second that go through the gateway."""
    fault_duplicate: float = Field(0.01, ge=0, le=1)
    """This and the next ones: the share of simulated events that a fault strikes on purpose."""
    fault_late: float = Field(0.01, ge=0, le=1)
    fault_out_of_order: float = Field(0.01, ge=0, le=1)
    fault_alternate_unit: float = Field(0.02, ge=0, le=1)
    fault_wrong_unit: float = Field(0.002, ge=0, le=1)
    fault_malformed: float = Field(0.002, ge=0, le=1)
    gateway_rate: float = Field(2000, gt=0)
    """Requests a second that one client may send."""
    gateway_max_body_kb: int = Field(1024, ge=1, le=2048)
    """The largest request; what is refused must fit into a Kafka record."""
    bronze_flush_seconds: int = Field(60, ge=1, le=600)
    """How old a record may become before its object is written. Each partition writes one so often: jobs on bronze read fewer and
    larger objects the longer this is; the stream reads Kafka and does not wait for it."""

    def shares(self) -> dict[str, float]:
        """The share of each fault, by its name."""
        return {name: share for name, share in self.model_dump().items() if name.startswith("fault_")}

    def faults(self) -> Iterator[str]:
        """Shares of faults that are more than everything."""
        total = sum(self.shares().values())
        if total > 1:
            yield f"faultDuplicate and the other shares of faults are {total:g} together; at most 1 is possible"
