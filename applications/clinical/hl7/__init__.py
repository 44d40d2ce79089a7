"""HL7 v2.5 ORU^R01 to native events and back, and acknowledgements. What maps to what is in docs/data-contract.md."""

from applications.clinical.hl7.acknowledging import acknowledge
from applications.clinical.hl7.reading import Message, parse
from applications.clinical.hl7.rendering import oru_r01

__all__ = ["Message", "acknowledge", "oru_r01", "parse"]
