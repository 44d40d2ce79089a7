"""The ingestion layer: everything by which events enter, and the way to the bronze zone."""

from components.ingestion.layer import Ingestion
from components.ingestion.settings import IngestionSettings

__all__ = ["Ingestion", "IngestionSettings"]
