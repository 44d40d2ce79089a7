"""What Prometheus and Alertmanager are told: targets follow from the services, secrets are named and never written."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi
import pytest
import yaml

from components.contracts import Observed
from components.observability import alertmanager, prometheus
from components.observability.alertmanager import Email, Slack

WEBHOOK = "http://monitoring-service:8080/alerts"


@pytest.fixture(autouse=True)
def loop() -> None:
    """Outputs need a loop, of each test's own."""
    asyncio.set_event_loop(asyncio.new_event_loop())


def observed(name: str, port: int | None, metrics: str | None, layer: str = "ml") -> Observed:
    """A service that runs."""
    return Observed(name=name, layer=layer, host=name, port=port, metrics=metrics)


def scraped(*targets: Observed) -> dict[str, dict[str, str]]:
    """The labels of each target, by its address."""
    text = prometheus.configuration(targets, "alertmanager:9093", "unit")
    job, = yaml.safe_load(text)["scrape_configs"]
    return {entry["targets"][0]: entry["labels"] for entry in job["static_configs"]}


def alerting(email: Email | None = None, slack: Slack | None = None) -> dict[str, Any]:
    """Alertmanager's configuration."""
    return dict(yaml.safe_load(alertmanager.configuration(WEBHOOK, email, slack)))


def test_every_service_with_metrics_is_a_target_with_its_own_path() -> None:
    found = scraped(observed("spark-master", 8080, "/metrics/prometheus/", "processing"),
                    observed("model-serving", 8080, "/metrics"))
    assert found == {
        "model-serving:8080": {"service": "model-serving", "layer": "ml", "__metrics_path__": "/metrics"},
        "spark-master:8080": {"service": "spark-master", "layer": "processing", "__metrics_path__": "/metrics/prometheus/"}}


def test_a_service_without_metrics_is_no_target_that_could_not_answer() -> None:
    found = scraped(observed("zookeeper", 2181, None), observed("airflow-triggerer", None, None), observed("a", 8080, "/metrics"))
    assert list(found) == ["a:8080"]


def test_targets_stand_in_one_order_whatever_order_layers_come_in() -> None:
    """Or the container would be replaced for nothing."""
    services = [observed(name, 8080, "/metrics") for name in ("b", "a", "c")]
    assert list(scraped(*services)) == list(scraped(*reversed(services)))


def test_the_monitoring_service_may_speak_of_other_services() -> None:
    """Its `service_up{service=…}` would else be renamed, and alerts name monitoring-service alone."""
    job, = yaml.safe_load(prometheus.configuration([], "alertmanager:9093", "unit"))["scrape_configs"]
    assert job["honor_labels"] is True


def test_every_file_of_rules_is_one_that_prometheus_reads() -> None:
    files = prometheus.rule_files()
    assert files and all(name.endswith(".yml") and "{{" in text for name, text in files.items())
    read, = yaml.safe_load(prometheus.configuration([], "alertmanager:9093", "unit"))["rule_files"]
    assert read == "/run/config/rules-*.yml"


def test_alone_the_monitoring_service_hears_of_alerts() -> None:
    found = alerting()
    assert [receiver["name"] for receiver in found["receivers"]] == ["monitoring-service"]
    hook, = found["receivers"][0]["webhook_configs"]
    assert hook["url"] == WEBHOOK and hook["send_resolved"] is True
    assert hook["http_config"]["authorization"]["credentials_file"] == "/run/secrets/alert-webhook"


def test_people_hear_besides_the_monitoring_service_and_not_instead() -> None:
    secret = pulumi.Output.secret("canary-smtp")
    found = alerting(Email(to="a@example.org", sender="b@example.org", server="mail:25", user="b", password=secret),
                     Slack(channel="#alerts", url=pulumi.Output.secret("canary-slack")))
    first, second = found["route"]["routes"]
    assert first == {"receiver": "monitoring-service", "continue": True}
    assert second["receiver"] == "people"
    people = next(receiver for receiver in found["receivers"] if receiver["name"] == "people")
    mail, = people["email_configs"]
    assert (mail["to"], mail["smarthost"], mail["auth_password_file"]) == ("a@example.org", "mail:25", "/run/secrets/smtp-password")
    assert people["slack_configs"][0]["api_url_file"] == "/run/secrets/slack-url"
    assert "canary" not in str(found)


def test_a_mail_server_without_login_is_given_none() -> None:
    found = alerting(Email(to="a@example.org", sender="b@example.org", server="mail:25"))
    mail, = found["receivers"][1]["email_configs"]
    assert not {"auth_username", "auth_password_file"} & set(mail)


def test_labels_that_hold_alerts_back_are_labels_that_rules_set() -> None:
    """A misspelt one would hold back nothing."""
    texts = "".join(prometheus.rule_files().values())
    for rule in alerting()["inhibit_rules"]:
        for matcher in rule["target_matchers"]:
            label, _, value = matcher.replace("=~", "=").partition("=")
            wanted = {"follows": f"follows: {value.strip(chr(34))}", "severity": "severity: warning", "slo": "slo: "}[label]
            assert wanted in texts
