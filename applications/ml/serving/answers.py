"""Answers: one JSON shape for predictions, one for every refusal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from fastapi import Response

from applications.clinical.predictions import Prediction
from applications.clinical.reasons import Reason
from applications.ml.features.registry import NAMES
from applications.runtime.door import CLOSE, Refusal, retry_after

AWAY_SECONDS = 5
BUSY_SECONDS = 1
ALIAS = "champion"
FAULT = "a fault of model-serving, which its log names; no prediction was made"


Outcome = Prediction | Refusal


def prediction(made: Prediction) -> dict[str, Any]:
    """A prediction as the caller gets it. `features_time` and the age are there where the features came from the store."""
    found: dict[str, Any] = {"prediction_id": made.prediction_id}
    if made.patient_id is not None:
        found["patient_id"] = made.patient_id
    found |= {
        "probability": made.probability, "threshold": made.threshold, "class": made.risk_class,
        "model": {"name": made.model_name, "version": made.model_version, "alias": ALIAS}}
    if made.features_time is not None:
        found |= {"features_time": made.features_time,
                  "features_age_seconds": age(made.features_time, made.recorded_time)}
    return found | {
        "contributions": [one.model_dump() for one in made.contributions],
        "missing_features": [name for name in NAMES if made.features.get(name) is None], "time": made.recorded_time}


def age(features_time: datetime, now: datetime) -> float:
    """Seconds from the features' moment to now; 0 for one that another clock has put ahead of ours."""
    return max(0.0, round((now - features_time).total_seconds(), 3))


def single(outcome: Outcome) -> Response:
    """The answer to a request for one prediction."""
    if isinstance(outcome, Refusal):
        return outcome.response()
    return Response(orjson.dumps(prediction(outcome)), 200, media_type="application/json")


def batch(outcomes: Sequence[Outcome]) -> Response:
    """The answer to a batch: a prediction or an error for each instance, in their order. Where none was served and each may
    be tried again, the batch may, too: 503.
    """
    refusals = [one for one in outcomes if isinstance(one, Refusal)]
    if len(refusals) == len(outcomes) and all(one.status == 503 for one in refusals):
        return refusals[0].response()
    found = [{"error": {"status": one.status, **one.body()}} if isinstance(one, Refusal) else {"prediction": prediction(one)}
             for one in outcomes]
    return Response(orjson.dumps({"results": found}), 200, media_type="application/json")


def not_json(place: int) -> Refusal:
    """A body that is no JSON. Its own words could quote the body; the place is enough to find the fault."""
    return Refusal(400, "unparseable", f"the body is not JSON in UTF-8: the fault is near character {place}")


def invalid(reasons: Sequence[Reason]) -> Refusal:
    """A request, or an instance, with faults."""
    return Refusal(422, "invalid", "mend what the reasons name and send it again", reasons=reasons)


def busy() -> Refusal:
    """A request too many at the same time."""
    return Refusal(503, "busy", "too much is in work; send it again", headers={**retry_after(BUSY_SECONDS), **CLOSE})


def unavailable(error: str, why: str) -> Refusal:
    """Something that a prediction needs is away."""
    return Refusal(503, error, f"{why}. No prediction was made: send the request again", headers=retry_after(AWAY_SECONDS))


def unknown_patient() -> Refusal:
    """A patient of whom the store knows nothing."""
    return Refusal(404, "unknown-patient", "the online store has no features of this patient: nothing was recorded in the last "
                   "24 hours before feature-engineering's latest run, or the id is wrong")


def stale(seconds: float, most: float) -> Refusal:
    """Features too old to act on."""
    return Refusal(409, "stale-features", f"the features of this patient are {seconds:.0f} s old and may be {most:g} s: no new "
                   "ones were computed. See the jobs of feature-engineering and whether events of this patient arrive")


def missing(share: float, most: float) -> Refusal:
    """Too little is known."""
    return Refusal(409, "missing-features", f"{share:.0%} of the features are unknown, and at most {most:.0%} may be: too little "
                   "is known for a prediction")


def fault() -> Refusal:
    """A fault of ours."""
    return Refusal(500, "fault", FAULT)
