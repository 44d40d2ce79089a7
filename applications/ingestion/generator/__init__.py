"""clinical-data-generator: simulated sites that send FHIR, HL7 and native events to the gateway.

As a library: `run(GeneratorSettings(...))`.
"""

from applications.ingestion.generator.service import Generation, Summary, run
from applications.ingestion.generator.settings import GeneratorSettings

__all__ = ["Generation", "GeneratorSettings", "Summary", "run"]
