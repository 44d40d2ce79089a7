"""FHIR R4 to native events and back. What maps to what is in docs/data-contract.md."""

from applications.clinical.fhir.reading import parse
from applications.clinical.fhir.rendering import bundle, resource

__all__ = ["bundle", "parse", "resource"]
