"""The orchestration layer."""

from components.orchestration.layer import Orchestration
from components.orchestration.settings import OrchestrationSettings

__all__ = ["Orchestration", "OrchestrationSettings"]
