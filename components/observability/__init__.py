"""The observability layer: metrics, alerts, logs, and one page that shows it all."""

from components.observability.layer import Observability
from components.observability.settings import ObservabilitySettings

__all__ = ["Observability", "ObservabilitySettings"]
