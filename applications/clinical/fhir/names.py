"""Systems and addresses that a FHIR resource uses here. Those of the contract begin with `urn:clinical:`."""

from __future__ import annotations

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
UUID_URN = "urn:ietf:rfc:3986"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
BLOOD_PRESSURE_PANEL = "85354-9"

PREFIX = "urn:clinical:"
STUDY, SITE, ARM, ENROLMENT = f"{PREFIX}study", f"{PREFIX}site", f"{PREFIX}arm", f"{PREFIX}enrolment-date"
"""Tags of `meta`, or extensions of the resource."""
EVENT_ID, PATIENT = f"{PREFIX}event-id", f"{PREFIX}patient"
"""Systems of identifiers."""
SOURCE = f"{PREFIX}source:"
"""Beginning of a `meta.source` that holds the name of a device or system, percent-encoded."""
SEX, PRIORITY = f"{PREFIX}sex", f"{PREFIX}priority"
FREQUENCY, HIGH_RISK = f"{PREFIX}frequency", f"{PREFIX}high-risk"
GRADE, END, RELATED, ACTION, REPORTER = (f"{PREFIX}{name}" for name in ("grade", "end", "related", "action-taken", "reporter"))
AGE, WEIGHT, HEIGHT, EFFECTIVE = (f"{PREFIX}{name}" for name in ("age", "weight", "height", "effective"))
"""Extensions for what R4 has no element for."""
