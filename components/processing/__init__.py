"""The processing layer: Spark, from bronze and Kafka to silver and gold."""

from components.processing.layer import Processing
from components.processing.settings import ProcessingSettings

__all__ = ["Processing", "ProcessingSettings"]
