"""Limits of the checks. The numbers stand in thresholds.json beside this file; here is what each means."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

FILE = Path(__file__).with_name("thresholds.json")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limit(_Model):
    """Above `warning` somebody should look, above `failure` somebody must act."""

    warning: float = Field(ge=0)
    failure: float = Field(ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Limit:
        if self.warning > self.failure:
            raise ValueError("`warning` must not be above `failure`")
        return self


class Least(_Model):
    """Below `warning` somebody should look, below `failure` somebody must act."""

    warning: float = Field(ge=0)
    failure: float = Field(ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Least:
        if self.warning < self.failure:
            raise ValueError("`warning` must not be below `failure`")
        return self


class Volume(_Model):
    """How the number of received records is compared with that of the same hours of earlier days."""

    earlier_days: int = Field(ge=1)
    """How many days back; where these have too few hours, so many windows directly before are taken."""
    least_earlier: int = Field(ge=2)
    """Of how many earlier windows records are needed for a verdict."""
    deviations: Limit
    """The distance from their median, in robust standard deviations (1.4826 times the median absolute deviation)."""
    least_spread: float = Field(gt=0)
    """The deviation is taken for at least this share of the median: a simulator's steady rate would make it nothing."""


class Quality(_Model):
    """Of silver and quarantine."""

    settle_minutes: float = Field(ge=0)
    """The newest minutes are not judged for completeness against bronze: the stream may still be on its way."""
    null_share: Mapping[str, Mapping[str, Limit]]
    """Of optional columns, by table. A column that is not named here must have no null at all."""
    age_minutes: Mapping[str, Limit]
    """How old the newest row of a table may be, by the time of its receipt. Tables that are not named may rest."""
    quarantine_share: Limit
    """Refused records of all that were received."""
    volume: Volume


class Drift(_Model):
    """Of the features of the newest cut-offs against those of the champion's training window."""

    current_hours: float = Field(gt=0)
    least_rows: int = Field(ge=2)
    """On either side; with fewer nothing is judged."""
    ks: Limit
    """The Kolmogorov-Smirnov distance of a number's two distributions; it counts only with a p-value below `p_value`."""
    p_value: float = Field(gt=0, lt=1)
    psi: Limit
    """The population stability index, over bins that hold equal shares of the reference."""
    null_share_change: Limit
    drifted_share: Limit
    """The share of the judged features that drifted; above `failure` the model is trained anew."""
    bins: int = Field(ge=2)
    most_reference_rows: int = Field(ge=100)
    not_judged: tuple[str, ...]
    """Features that are reported only: they change with the calendar or with who is enrolled."""


class Predictions(_Model):
    """Of the predictions served, by version of the model, against earlier days of the same version."""

    current_hours: float = Field(gt=0)
    reference_days: float = Field(gt=0)
    least_predictions: int = Field(ge=2)
    psi: Limit
    high_risk_change: Limit
    """The difference of the shares of high-risk predictions."""


class Performance(_Model):
    """Of the predictions served, once it is known what came."""

    days: int = Field(ge=1)
    least_positives: int = Field(ge=1)
    """With fewer positives, or fewer negatives, the figures say little and nothing is judged."""
    least_auroc: Least
    calibration_error: Limit


class Retraining(_Model):
    """When model_monitoring starts a training."""

    cool_down_hours: int = Field(ge=1)
    """At most one is started in so many hours."""


class Thresholds(_Model):
    """All limits."""

    quality: Quality
    drift: Drift
    predictions: Predictions
    performance: Performance
    retraining: Retraining


@cache
def thresholds() -> Thresholds:
    """The limits of this platform."""
    return Thresholds.model_validate_json(FILE.read_bytes())
