"""Settings of monitoring-service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from applications.runtime.api_keys import ApiKeys
from applications.runtime.settings import ServiceSettings


class MonitoringSettings(ServiceSettings):
    """What monitoring-service is told. `lake_secret_key`, `airflow_monitoring` and `alert_webhook` are secret files. An address
    that is empty leaves out what is measured there.
    """

    service: str = "monitoring-service"
    layer: str = "observability"
    stack: str = Field(min_length=1)

    kafka_bootstrap: str = ""
    lake_endpoint: str = Field("", pattern="^(https?://.+)?$")
    lake_user: str = "monitoring-service"
    lake_secret_key: SecretStr = SecretStr("")
    prometheus_url: str = Field("", pattern="^(https?://.+)?$")
    alertmanager_url: str = Field("", pattern="^(https?://.+)?$")
    airflow_url: str = Field("", pattern="^(https?://.+)?$")
    airflow_user: str = "monitoring"
    airflow_monitoring: SecretStr = SecretStr("")
    """The password of `airflow_user`."""
    mlflow_uri: str = Field("", pattern="^(https?://.+)?$")
    opensearch_url: str = Field("", pattern="^(https?://.+)?$")
    alert_webhook: SecretStr
    """What Alertmanager shows as its bearer."""

    logs_days: int = Field(7, ge=1)
    monitoring_seconds: float = Field(60, gt=0)
    """How often the lake's tables and the champion are looked at."""
    drift_seconds: float = Field(900, gt=0)
    """How often drift is computed; it reads a day of features."""

    platform_file: Path = Path("/run/config/platform.json")
    runbook_file: Path = Path("/run/config/runbook.md")
    data: Path = Path("/data")

    @field_validator("alert_webhook")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        ApiKeys(f"alertmanager:{value.get_secret_value()}")
        return value
