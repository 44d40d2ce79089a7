"""Settings of the ML layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from components.settings import LayerSettings


class MlSettings(LayerSettings):
    """How often features are made, what the first training waits for, and when serving refuses to answer."""

    layer: ClassVar[str] = "ml"
    needs: ClassVar[tuple[str, ...]] = ("infrastructure", "ingestion", "processing")
    default_ports: ClassVar[Mapping[str, int]] = {"mlflow-server": 5000, "feature-engineering": 8182, "ml-training": 8183,
                                                  "model-serving": 8184}
    images: ClassVar[tuple[str, ...]] = ("mlflow", "ml")
    secrets: ClassVar[tuple[str, ...]] = ("features-jobs-key", "training-jobs-key", "serving-key-clinic", "serving-key-monitoring")

    mlflow_workers: int = Field(1, ge=1, le=8)
    features_grid_hours: Literal[1, 2, 3, 4, 6, 8, 12, 24] = 6
    """Hours between two cut-offs of the offline features."""
    features_refresh_seconds: int = Field(60, ge=0)
    """How often the features follow the lake by themselves; 0 leaves it to whoever starts the job."""
    training_bootstrap_seconds: int = Field(30, ge=0)
    """How often training looks whether there is no champion and data enough for one; 0 leaves it to whoever starts the job."""
    training_min_positives: int = Field(150, ge=1)
    """Labels of adverse events without which no first model is trained."""
    training_most_auroc_gap: float = Field(0.1, gt=0, le=1)
    """The greatest gap between the AUROC of subgroups with which a model may serve."""
    serving_max_age_seconds: int = Field(3600, ge=1)
    """The greatest age of a patient's features with which a prediction is made."""
    serving_max_missing_share: float = Field(0.6, ge=0, le=1)
    """The greatest share of features that may be unknown in one."""
