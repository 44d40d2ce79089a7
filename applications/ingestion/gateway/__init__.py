"""clinical-data-gateway: the one door for clinical data from outside, over HTTP (FHIR, HL7 v2, native events) and MLLP."""
