"""The OpenAPI description of the gateway: what each path takes and every answer that it can give."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from applications.clinical.models import INGRESS, MODELS
from applications.clinical.reasons import ReasonCode
from applications.ingestion.gateway.intake import Status

REF = "#/components/schemas/"
FHIR_RESOURCES = ("Bundle", "Observation", "MedicationAdministration", "AdverseEvent", "Patient")
SECURITY: list[dict[str, list[str]]] = [{"ApiKey": []}, {"Bearer": []}]

TITLE = "Clinical data gateway"
DESCRIPTION = """The door for clinical data: FHIR R4, HL7 v2.5 and native events.

Every event has an `event_id`. It is answered with 202 once the broker has confirmed it, and with 200 when it had been
taken before, so that any request can be repeated. A body is taken as a whole or not at all: one invalid event refuses
all of it (422, with every reason). A request that was answered with 503 did not count as accepted: send it again, with
the same ids, until it is answered with 200 or 202; what brokers had confirmed of it by then is reported as `repeated`.
"""

_RETRY = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}}
_ANSWERS: dict[int, tuple[str, dict[str, Any]]] = {
    200: ("Every event had been taken before", {}),
    202: ("The broker has confirmed every event", {}),
    400: ("Not of the format that it claims to be", {}),
    401: ("No key", {"WWW-Authenticate": {"description": "How to show a key", "schema": {"type": "string"}}}),
    403: ("A key that nobody has", {}),
    408: ("The body did not arrive in time", {}),
    413: ("The body is too large", {}),
    415: ("A media type, character set or encoding that this path does not take", {}),
    422: ("Invalid: every reason, by field; the body is in quarantine", {}),
    429: ("More requests than this client may send", _RETRY),
    503: ("Kafka, RabbitMQ or the ledger is away, or too much is in work; nothing counts as accepted", _RETRY)}
_ACKNOWLEDGED = (200, 202, 400, 422, 503)

_EVENTS_EXAMPLE = {
    "event_id": "6f1b8f5e-3f0e-4a39-9a44-0d2b54a0f0c1", "schema_version": "1.0.0", "event_type": "patient-vitals",
    "patient_id": "PT0000A1B2", "study_id": "STUDY-1", "site_id": "SITE001", "trial_arm": "treatment",
    "event_time": "2026-01-15T08:30:00+01:00", "recorded_time": "2026-01-15T08:30:02+01:00", "source": "monitor-7",
    "payload": {"measurements": [{"code": "8867-4", "value": 72.0, "unit": "/min"}]}}


def _schema(name: str) -> dict[str, Any]:
    return {"$ref": REF + name}


def components() -> dict[str, Any]:
    """The schemas that the paths refer to."""
    events = {}
    for kind in INGRESS:
        schema = TypeAdapter(MODELS[kind]).json_schema(ref_template=REF + "{model}")
        events.update(schema.pop("$defs", {}))
        events[MODELS[kind].__name__] = schema
    text = {"type": "string"}
    return {
        **events,
        "Event": {"oneOf": [_schema(MODELS[kind].__name__) for kind in INGRESS],
                  "discriminator": {"propertyName": "event_type",
                                    "mapping": {kind.value: REF + MODELS[kind].__name__ for kind in INGRESS}}},
        "Resource": {"type": "object", "required": ["resourceType"],
                     "properties": {"resourceType": {"type": "string", "enum": list(FHIR_RESOURCES)}}},
        "Accepted": {"type": "object", "required": ["accepted"], "properties": {
            "accepted": {"type": "array", "minItems": 1, "items": {
                "type": "object", "required": ["event_id", "status"],
                "properties": {"event_id": {"type": "string", "format": "uuid"},
                               "status": {"type": "string", "enum": list(Status)}}}}}},
        "Refusal": {"type": "object", "required": ["error", "message"], "properties": {
            "error": text, "message": text,
            "reasons": {"type": "array", "items": {
                "type": "object", "required": ["code", "field", "message"],
                "properties": {"code": {"type": "string", "enum": list(ReasonCode)}, "field": text, "message": text}}}}},
        "Acknowledgement": {"type": "string",
                            "description": "ACK^R01 with AA (taken), AE (invalid, or a broker is away) or AR (unreadable)"},
        "Health": {"type": "object", "required": ["status", "checks"], "properties": {
            "status": {"type": "string", "enum": ["healthy", "unhealthy"]},
            "checks": {"type": "object", "additionalProperties": text}}}}


def responses(*, acknowledged: bool = False) -> dict[int | str, dict[str, Any]]:
    """Every answer of a path that takes data; `acknowledged` ones are HL7 unless the sender asks for JSON."""
    found: dict[int | str, dict[str, Any]] = {}
    for status, (words, headers) in _ANSWERS.items():
        content: dict[str, Any] = {"application/json": {"schema": _schema("Accepted" if status < 400 else "Refusal")}}
        if acknowledged and status in _ACKNOWLEDGED:
            content["application/hl7-v2"] = {"schema": _schema("Acknowledgement")}
        found[status] = {"description": words, "headers": headers, "content": content}
    return found


def body(content: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What a path takes, by media type."""
    return {"requestBody": {"required": True, "content": content}, "security": SECURITY}


EVENTS = body({
    "application/json": {"schema": _schema("Event"), "example": _EVENTS_EXAMPLE},
    "application/x-ndjson": {"schema": {"type": "string", "description": "One event a line"}}})
FHIR = body({"application/fhir+json": {"schema": _schema("Resource")}})
HL7 = body({"application/hl7-v2": {"schema": {
    "type": "string", "format": "binary", "description": "One ORU^R01 of HL7 v2.5, in the character set that its MSH-18 names"}}})
HEALTH: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "content": {"application/json": {"schema": _schema("Health")}}}
    for status, words in {200: "It can accept", 503: "It cannot accept: the checks say why"}.items()}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Adds schemas and keys to the framework's document."""
    document.setdefault("components", {})["schemas"] = components()
    document["components"]["securitySchemes"] = {
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"}, "Bearer": {"type": "http", "scheme": "bearer"}}
    return document
