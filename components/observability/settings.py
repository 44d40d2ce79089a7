"""Settings of the observability layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from components.settings import LayerSettings


class ObservabilitySettings(LayerSettings):
    """How long metrics and logs are kept, how often is measured, and who hears of alerts besides the platform itself."""

    layer: ClassVar[str] = "observability"
    needs: ClassVar[tuple[str, ...]] = ("infrastructure",)
    watches: ClassVar[bool] = True
    default_ports: ClassVar[Mapping[str, int]] = {"prometheus": 9090, "alertmanager": 9193, "monitoring-service": 8095,
                                                  "grafana": 3000, "opensearch-dashboards": 5601}
    images: ClassVar[tuple[str, ...]] = (
        "prometheus", "alertmanager", "node-exporter", "postgres-exporter", "redis-exporter", "elasticsearch-exporter",
        "opensearch", "log-shipper", "ml", "grafana", "opensearch-dashboards")
    secrets: ClassVar[tuple[str, ...]] = ("alert-webhook", "grafana")
    optional_secrets: ClassVar[tuple[str, ...]] = ("alert-slack-url", "alert-smtp-password")

    prometheus_days: int = Field(15, ge=1, le=3650)
    """Days that metrics are kept."""
    opensearch_heap_mb: int = Field(512, ge=256, le=31_744)
    logs_days: int = Field(7, ge=1, le=3650)
    """Days that logs are kept."""
    monitoring_seconds: int = Field(60, ge=5, le=3600)
    """How often the tables of the lake and the champion are looked at. What changes faster is measured more often."""
    drift_seconds: int = Field(900, ge=30)
    """How often the champion's features are compared with those that it learned from."""
    alert_email_to: str | None = Field(None, pattern="@")
    alert_email_from: str | None = Field(None, pattern="@")
    alert_smtp: str | None = Field(None, pattern=r"^[^:/]+:\d+$")
    """The mail server, as `host:port`."""
    alert_smtp_user: str | None = None
    """Logs in at the mail server with the secret `alert-smtp-password`."""
    alert_slack_channel: str | None = Field(None, pattern="^#")
    """Hears of alerts through the web hook in the secret `alert-slack-url`."""

    def faults(self) -> Iterator[str]:
        """Ways out that lack a part."""
        mail = {"alertEmailTo": self.alert_email_to, "alertEmailFrom": self.alert_email_from, "alertSmtp": self.alert_smtp}
        missing = [name for name, value in mail.items() if value is None]
        if missing and len(missing) < len(mail):
            yield f"{missing[0]}: alerts go by mail only where {', '.join(mail)} are all set"
        if self.alert_smtp_user and "alert-smtp-password" not in self.platform.secrets:
            yield "secrets.alert-smtp-password: alertSmtpUser needs its password; set it with `pulumi config set --secret --path`"
        if self.alert_slack_channel and "alert-slack-url" not in self.platform.secrets:
            yield "secrets.alert-slack-url: alertSlackChannel needs the web hook; set it with `pulumi config set --secret --path`"
