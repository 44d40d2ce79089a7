"""The OpenAPI description of model-serving: what each path takes and every answer that it can give."""

from __future__ import annotations

from typing import Any

from applications.clinical.models import PATIENT_ID
from applications.clinical.reasons import ReasonCode
from applications.ml.features.registry import FEATURES, NAMES, Feature
from applications.ml.serving.inputs import MOST_INSTANCES
from applications.ml.serving.judging import TOP

REF = "#/components/schemas/"
SECURITY: list[dict[str, list[str]]] = [{"ApiKey": []}, {"Bearer": []}]

TITLE = "Model serving"
DESCRIPTION = """The probability that a patient has an adverse event of grade 2 or above in the next 24 hours.

The model has learned from simulated patients: it is no medical device, and not for clinical use.

A prediction is answered once its audit record stands in Kafka. Every error says what is wrong and what to do. After 503 no
prediction was made: send the request again when Retry-After says so.
"""

_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}
_RETRY = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}}
_ANSWERS: dict[int, tuple[str, dict[str, Any]]] = {
    400: ("Not JSON in UTF-8", {}),
    401: ("No key", {"WWW-Authenticate": {"description": "How to show a key", "schema": _TEXT}}),
    403: ("A key that nobody has", {}),
    404: ("A patient of whom the online store knows nothing", {}),
    408: ("The body did not arrive in time", {}),
    409: ("The patient's features are too old, or too many of them are unknown", {}),
    413: ("The body is too large", {}),
    415: ("Not application/json", {}),
    422: ("Invalid: every reason, by field", {}),
    500: ("A fault of model-serving", {}),
    503: ("No champion, the online store or Kafka is away, or too much is in work: the word in `error` says which", _RETRY)}
_OF_ONE = (404, 409)
"""Answers of one instance: in a batch they stand beside it."""


def _schema(name: str) -> dict[str, Any]:
    return {"$ref": REF + name}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": required | (optional or {}), **more}


def _feature(feature: Feature) -> dict[str, Any]:
    if feature.kind == "category":
        return {"enum": [*feature.categories, None], "description": feature.description}
    return {"type": ["number", "null"], "minimum": feature.low, "maximum": feature.high,
            "description": f"{feature.description} ({feature.unit})"}


def components() -> dict[str, Any]:
    """The schemas that the paths refer to."""
    by_patient = _object({"patient_id": {"type": "string", "pattern": PATIENT_ID}}, additionalProperties=False)
    by_features = _object({"features": _schema("Features")}, additionalProperties=False)
    refusal = {"error": _TEXT, "message": _TEXT}
    reasons = {"reasons": {"type": "array", "items": _object(
        {"code": {"type": "string", "enum": list(ReasonCode)}, "field": _TEXT, "message": _TEXT})}}
    status = {"status": {"type": "integer", "enum": [404, 409, 422, 503]}}
    contribution = _object({"feature": {"enum": list(NAMES)}, "value": {"type": ["number", "string", "null"]},
                            "contribution": {"type": "number", "description": "log-odds; above 0 towards an event"}})
    return {
        "Features": {"type": "object", "additionalProperties": False, "properties": {one.name: _feature(one) for one in FEATURES},
                     "description": "Features by name; what is left out is unknown"},
        "Instance": {"oneOf": [by_patient, by_features]},
        "Batch": _object({"instances": {"type": "array", "items": _schema("Instance"), "minItems": 1,
                                        "maxItems": MOST_INSTANCES}}, additionalProperties=False),
        "Prediction": _object(
            {"prediction_id": {"type": "string", "format": "uuid"}, "probability": _PROBABILITY, "threshold": _PROBABILITY,
             "class": {"enum": ["high-risk", "low-risk"]},
             "model": _object({"name": _TEXT, "version": _TEXT, "alias": _TEXT}),
             "contributions": {"type": "array", "maxItems": TOP, "items": contribution},
             "missing_features": {"type": "array", "items": {"enum": list(NAMES)}}, "time": _TIME},
            {"patient_id": _TEXT, "features_time": _TIME, "features_age_seconds": {"type": "number", "minimum": 0}}),
        "Results": _object({"results": {"type": "array", "minItems": 1, "items": {"oneOf": [
            _object({"prediction": _schema("Prediction")}, additionalProperties=False),
            _object({"error": _object(status | refusal, reasons)}, additionalProperties=False)]}}}),
        "Refusal": _object(refusal, reasons),
        "Model": _object({"name": _TEXT, "version": _TEXT, "alias": _TEXT, "serving_since": _TIME, "features_version": _TEXT,
                          "threshold": _PROBABILITY}),
        "Health": _object({"status": {"type": "string", "enum": ["ready", "not-ready"]},
                           "checks": {"type": "object", "additionalProperties": _TEXT},
                           "warnings": {"type": "array", "items": _TEXT}})}


def _answer(words: str, schema: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"description": words, "headers": headers or {}, "content": {"application/json": {"schema": _schema(schema)}}}


def responses(result: str) -> dict[int | str, dict[str, Any]]:
    """Every answer of a path that makes predictions; `result` is the schema of 200."""
    words = "A prediction or an error for each instance" if result == "Results" else "The prediction"
    left_out = _OF_ONE if result == "Results" else ()
    return {200: _answer(words, result),
            **{status: _answer(text, "Refusal", headers) for status, (text, headers) in _ANSWERS.items() if status not in left_out}}


def body(schema: str, example: dict[str, Any]) -> dict[str, Any]:
    """What a path takes."""
    content = {"application/json": {"schema": _schema(schema), "example": example}}
    return {"requestBody": {"required": True, "content": content}, "security": SECURITY}


PREDICT = body("Instance", {"patient_id": "PT0000A1B2"})
BATCH = body("Batch", {"instances": [{"patient_id": "PT0000A1B2"}, {"features": {"age": 61, "heart_rate_mean_6h": 88.5}}]})
MODEL: dict[int | str, dict[str, Any]] = {
    200: _answer("The version that serves", "Model"),
    **{status: _answer(text, "Refusal", headers) for status, (text, headers) in _ANSWERS.items() if status in (401, 403, 503)}}
HEALTH: dict[int | str, dict[str, Any]] = {200: _answer("The process works; `checks` say what is not ready", "Health")}
READY: dict[int | str, dict[str, Any]] = {
    200: _answer("Predictions can be made", "Health"), 503: _answer("They cannot: the checks say why", "Health")}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Adds schemas and keys to the framework's document."""
    document.setdefault("components", {})["schemas"] = components()
    document["components"]["securitySchemes"] = {
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"}, "Bearer": {"type": "http", "scheme": "bearer"}}
    return document
