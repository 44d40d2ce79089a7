"""From a body to what a prediction is asked for; whatever is wrong with it is said at once, by field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from applications.clinical.models import PATIENT_ID
from applications.clinical.reasons import Reason, ReasonCode
from applications.ml.features.registry import BY_NAME, Feature
from applications.ml.serving import answers
from applications.ml.serving.ports import Values
from applications.runtime.door import Refusal

MOST_INSTANCES = 500
MOST_NAME = 100
_PATIENT = re.compile(PATIENT_ID, re.ASCII)


@dataclass(frozen=True, slots=True)
class Instance:
    """What one prediction is asked for: a patient, or features; those that are not named are unknown."""

    patient_id: str | None
    features: Values | None


def single(body: bytes) -> Instance:
    """The instance of a body. Raises Refusal: 400 for what is no JSON, 422 with every reason."""
    found = instance(_loads(body))
    if isinstance(found, Refusal):
        raise found
    return found


def batch(body: bytes) -> list[Instance | Refusal]:
    """The instances of a batch, each or what is wrong with it. Raises Refusal when the body as a whole is wrong."""
    value = _loads(body)
    if not isinstance(value, dict):
        raise answers.invalid([Reason(ReasonCode.NOT_AN_OBJECT, "", "a batch is an object with `instances`")])
    reasons = [_unknown(name) for name in value if name != "instances"]
    instances = value.get("instances")
    if "instances" not in value:
        reasons.append(Reason(ReasonCode.MISSING_FIELD, "instances", "must be there"))
    elif not isinstance(instances, list):
        reasons.append(Reason(ReasonCode.WRONG_TYPE, "instances", "must be a list"))
    elif not 1 <= len(instances) <= MOST_INSTANCES:
        reasons.append(Reason(ReasonCode.INVALID_VALUE, "instances", f"must have 1 to {MOST_INSTANCES} entries"))
    if reasons or not isinstance(instances, list):
        raise answers.invalid(reasons)
    return [instance(one) for one in instances]


def instance(value: Any) -> Instance | Refusal:
    """One instance, or the refusal (422) with all that is wrong with it."""
    if not isinstance(value, dict):
        return answers.invalid([Reason(ReasonCode.NOT_AN_OBJECT, "", "must be an object with `patient_id` or `features`")])
    reasons = list(_faults(value))
    return answers.invalid(reasons) if reasons else Instance(value.get("patient_id"), value.get("features"))


def _faults(value: Mapping[str, Any]) -> Iterator[Reason]:
    yield from (_unknown(name) for name in value if name not in ("patient_id", "features"))
    if ("patient_id" in value) == ("features" in value):
        code = ReasonCode.INVALID_VALUE if "features" in value else ReasonCode.MISSING_FIELD
        yield Reason(code, "", "must have `patient_id` or `features`, and not both")
    if "patient_id" in value:
        patient_id = value["patient_id"]
        if not isinstance(patient_id, str):
            yield Reason(ReasonCode.WRONG_TYPE, "patient_id", "must be text")
        elif not _PATIENT.fullmatch(patient_id):
            yield Reason(ReasonCode.INVALID_VALUE, "patient_id", "must be PT and eight digits or capital letters")
    if "features" in value:
        features = value["features"]
        if not isinstance(features, dict):
            yield Reason(ReasonCode.WRONG_TYPE, "features", "must be an object of features by name")
        else:
            for name, given in features.items():
                if (reason := _feature_fault(name, given)) is not None:
                    yield reason


def _feature_fault(name: str, value: Any) -> Reason | None:
    feature = BY_NAME.get(name)
    field = f"features.{name[:MOST_NAME]}"
    if feature is None:
        return Reason(ReasonCode.INVALID_VALUE, field, "there is no such feature; /openapi.json names them all")
    if value is None:
        return None
    if feature.kind == "category":
        return _category_fault(feature, field, value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Reason(ReasonCode.WRONG_TYPE, field, "must be a number, or null where it is unknown")
    low, high = feature.low, feature.high
    if (low is not None and value < low) or (high is not None and value > high):
        return Reason(ReasonCode.IMPOSSIBLE_VALUE, field, f"must be from {low} to {high}, in {feature.unit}")
    return None


def _category_fault(feature: Feature, field: str, value: Any) -> Reason | None:
    if not isinstance(value, str):
        return Reason(ReasonCode.WRONG_TYPE, field, "must be text, or null where it is unknown")
    if value not in feature.categories:
        return Reason(ReasonCode.INVALID_VALUE, field, f"must be one of {', '.join(feature.categories)}")
    return None


def _unknown(name: str) -> Reason:
    return Reason(ReasonCode.INVALID_VALUE, name[:MOST_NAME], "there is no such field here")


def _loads(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise answers.not_json(error.pos) from None
