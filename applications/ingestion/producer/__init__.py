"""kafka-producer: simulated patients straight to Kafka. As a library: `run(ProducerSettings(...))`."""

from applications.ingestion.producer.service import Production, Summary, run
from applications.ingestion.producer.settings import ProducerSettings

__all__ = ["ProducerSettings", "Production", "Summary", "run"]
