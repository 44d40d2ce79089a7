"""The infrastructure layer: object store, databases, cache and broker, and what is declared inside them."""

from components.infrastructure.layer import Infrastructure
from components.infrastructure.settings import InfrastructureSettings

__all__ = ["Infrastructure", "InfrastructureSettings"]
