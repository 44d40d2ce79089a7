"""Settings of ml-training, which its jobs read too."""

from __future__ import annotations

from pydantic import Field, SecretStr

from applications.jobs.settings import JobsSettings
from applications.ml.training.gates import MOST_GAP


class TrainingSettings(JobsSettings):
    """What ml-training is told. `lake_secret_key` is a secret file, as `api_key` is."""

    mlflow_uri: str = Field("http://mlflow-server:5000", pattern="^https?://")
    mlflow_seconds: int = Field(30, ge=1)
    """How long a job waits for an answer of MLflow: it can wait longer than a service, and has more to lose."""
    experiment: str = Field("adverse-event-24h", min_length=1)
    lake_endpoint: str = Field("http://minio:9000", pattern="^https?://")
    lake_region: str = "us-east-1"
    lake_user: str = Field(min_length=1)
    lake_secret_key: SecretStr = Field(min_length=1)
    code_version: str = ""
    """What a run notes as its code's version; empty: a digest of the code."""
    history_days: int = Field(30, ge=5, le=400)
    """How many of the latest labelled days a training reads. 30 days of 1,000 patients take 1.1 GB, 60 take 1.6 GB."""
    bootstrap_seconds: float = Field(30, ge=0)
    """How often the service looks whether there is no champion and enough to train one; 0: never."""
    min_positives: int = Field(150, ge=1)
    """Labels that are 1, without which the service trains nothing by itself."""
    freshest_hours: float = Field(60, gt=0)
    """How old the newest labelled cut-off may be for that: older ones mean that history is still on its way."""
    most_auroc_gap: float = Field(MOST_GAP, gt=0, le=1)
    """The greatest gap between the AUROC of subgroups with which a version is registered."""
