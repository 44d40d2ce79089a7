"""Predictions as they are audited: one record for every prediction that was served, in the topic model-predictions."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, FiniteFloat

from applications.clinical.models import PATIENT_ID, Moment, Text

PREDICTIONS_TOPIC = "model-predictions"
Value = FiniteFloat | Text | None
"""What a feature is: a number, a category's word, or unknown."""
Probability = Annotated[FiniteFloat, Field(ge=0, le=1)]
RiskClass = Literal["high-risk", "low-risk"]


class Contribution(BaseModel):
    """How far one feature moved a prediction, in log-odds: above 0 towards an adverse event."""

    model_config = ConfigDict(frozen=True)

    feature: Text
    value: Value
    contribution: FiniteFloat


class Prediction(BaseModel):
    """One prediction as it was served, with all that it rests on: whoever reads it can make it again.

    `patient_id` and `features_time` (the moment up to which the features know the patient) are null where the caller gave
    the features. `features` holds every feature of `features_version`, null where it was unknown.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    prediction_id: UUID
    schema_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    patient_id: Annotated[str, Field(pattern=PATIENT_ID)] | None
    requested_by: Text
    """The client whose API key asked."""
    model_name: Text
    model_version: Text
    features_version: Text
    features_time: Moment | None
    features: dict[str, Value]
    probability: Probability
    threshold: Probability
    risk_class: RiskClass = Field(validation_alias=AliasChoices("class", "risk_class"), serialization_alias="class")
    contributions: list[Contribution]
    """The strongest, in falling order of their size."""
    recorded_time: Moment

    def as_json(self) -> bytes:
        """The record's value in Kafka."""
        return self.model_dump_json(by_alias=True).encode()
