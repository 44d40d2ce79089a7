"""The image of Prometheus, Alertmanager and the exporters, with what the platform gives them: hardened, and doing their work."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pulumi
import pytest
from docker.models.containers import Container

from components.contracts import Cache, Database, Observed
from components.observability import alertmanager, exporters, prometheus
from components.observability.alertmanager import Email, Slack
from components.observability.dashboards import BOARDS, queries
from operations.images import connect
from tests.images.boxes import Boxes, run, until
from tests.unit.observability.alert_rules import CASES, GROUPS

NOBODY = "65534:65534"
PASSWORD = "canary4exporters0123456789"
CONFIG, SECRETS = "/run/config", "/run/secrets"
AMTOOL = ("amtool", "--alertmanager.url=http://127.0.0.1:9093")
SOMEBODY = Email(to="a@example.org", sender="b@example.org", server="mail.example.org:587", user="b")
CHANNEL = Slack(channel="#alerts", url=pulumi.Output.secret("https://example.org/hook"))
RULES = {f"{CONFIG}/rules-{name}": text for name, text in prometheus.rule_files().items()}


@pytest.fixture(scope="module")
def tools(image: Callable[[str], str]) -> Iterator[Container]:
    """A container with the rules, their tests, and the configurations, in which promtool and amtool are run."""
    client = connect()
    boxes = Boxes(client, prefix=f"images-test-prometheus-{os.getpid()}")
    files = {**RULES, **{f"{CONFIG}/{name}": (CASES / name).read_text() for name in GROUPS},
             f"{CONFIG}/panels.json": panels(),
             f"{CONFIG}/prometheus.yml": prometheus.configuration([observed("a")], "alertmanager:9093", "unit")}
    for number, (email, slack) in enumerate([(None, None), (SOMEBODY, None), (None, CHANNEL), (SOMEBODY, CHANNEL)]):
        files[f"{CONFIG}/alertmanager-{number}.yml"] = alertmanager.configuration("http://receiver/alerts", email, slack)
    try:
        yield boxes.start(image("prometheus"), ["sleep", "infinity"], user=NOBODY, memory="1g",
                          volumes={boxes.volume(): CONFIG}, files=files)
    finally:
        boxes.clean()
        client.close()


def observed(name: str, port: int = 8080) -> Observed:
    """A service with metrics."""
    return Observed(name=name, layer="unit", host=name, port=port, metrics="/metrics")


def panels() -> str:
    """The queries of all dashboards as a file of rules, which promtool can check. JSON is YAML."""
    asked = [(board.uid, number, query) for board in BOARDS for number, query in enumerate(queries(board))]
    rules = [{"record": f"panel:{uid}:{number}", "expr": query} for uid, number, query in asked]
    return json.dumps({"groups": [{"name": "panels", "rules": rules}]})


@pytest.mark.parametrize("group", GROUPS)
def test_each_alert_fires_when_it_should_and_not_before(tools: Container, group: str) -> None:
    status, output = run(tools, "promtool", "test", "rules", f"{CONFIG}/{group}")
    assert status == 0, output


def test_a_case_with_a_wrong_expectation_fails(tools: Container) -> None:
    """promtool reads what the cases say; else all of them would pass whatever the rules are."""
    script = (f"cp {CONFIG}/rules-flow.yml /tmp && sed 's/value: 1}}/value: 2}}/' {CONFIG}/flow.yml > /tmp/flow.yml "
              "&& promtool test rules /tmp/flow.yml")
    status, output = run(tools, "bash", "-c", script)
    assert status == 1 and "FAILED" in output


def test_prometheus_takes_its_configuration_and_all_rules(tools: Container) -> None:
    status, output = run(tools, "promtool", "check", "config", f"{CONFIG}/prometheus.yml")
    assert status == 0, output
    assert output.count("rules found") == len(GROUPS)


def test_every_query_of_every_dashboard_is_one_that_prometheus_understands(tools: Container) -> None:
    status, output = run(tools, "promtool", "check", "rules", f"{CONFIG}/panels.json")
    assert status == 0, output
    assert f"{sum(len(queries(board)) for board in BOARDS)} rules found" in output


@pytest.mark.parametrize("number", range(4))
def test_alertmanager_takes_its_configuration_with_and_without_people(tools: Container, number: int) -> None:
    status, output = run(tools, "amtool", "check-config", f"{CONFIG}/alertmanager-{number}.yml")
    assert status == 0, output
    assert f"{1 if number == 0 else 2} receivers" in output


@pytest.mark.parametrize("program", ["/bin/prometheus", "/bin/promtool", "/bin/alertmanager", "/bin/amtool", "/bin/node_exporter",
                                     "/bin/postgres_exporter", "/bin/elasticsearch_exporter", "/redis_exporter"])
def test_every_program_is_where_the_upstream_image_has_it(tools: Container, program: str) -> None:
    status, output = run(tools, program, "--version")
    assert status == 0, output
    assert re.search(r"\d+\.\d+", output)


def test_prometheus_scrapes_what_it_is_told_to(image: Callable[[str], str], boxes: Boxes) -> None:
    """Itself, Alertmanager and the machine, each with the labels of its service; and it knows its Alertmanager."""
    network = boxes.network()
    targets = [observed("alertmanager", 9093), observed("prometheus", 9090), observed("node-exporter", 9100)]
    configured = prometheus.configuration(targets, "alertmanager:9093", "unit")
    start(image, boxes, network, "node-exporter", exporters.node())
    configuration = f"--config.file={CONFIG}/{{}}.yml".format
    boxes.start(image("prometheus"), ["/bin/alertmanager", configuration("alertmanager"), "--storage.path=/alertmanager",
                                      "--cluster.listen-address="],
                user=NOBODY, memory="128m", network=network, alias="alertmanager",
                volumes={boxes.volume(): CONFIG, boxes.volume(): "/alertmanager"},
                files={f"{CONFIG}/alertmanager.yml": alertmanager.configuration("http://receiver/alerts", None, None)})
    server = boxes.start(image("prometheus"), ["/bin/prometheus", configuration("prometheus"), "--storage.tsdb.path=/prometheus"],
                         user=NOBODY, memory="256m", network=network, alias="prometheus",
                         volumes={boxes.volume(): CONFIG, boxes.volume(): "/prometheus"},
                         files={**RULES, f"{CONFIG}/prometheus.yml": configured})
    until(lambda: values(server, "up") == {"alertmanager": 1, "prometheus": 1, "node-exporter": 1}, "all targets are up", server)
    assert values(server, "prometheus_notifications_alertmanagers_discovered") == {"prometheus": 1}
    assert values(server, "node_filesystem_size_bytes{mountpoint='/'}")["node-exporter"] > 0
    assert values(server, "node_memory_MemAvailable_bytes")["node-exporter"] > 0


def test_an_alert_reaches_its_receiver_with_the_bearer_and_its_consequences_are_held_back(
        image: Callable[[str], str], boxes: Boxes) -> None:
    network = boxes.network()
    # It writes down what the first that comes says, and does not answer.
    receiver = boxes.start(image("prometheus"), ["bash", "-c", "sleep infinity | nc -l -p 8080"], user=NOBODY, memory="32m",
                           network=network, alias="receiver", volumes={})
    server = boxes.start(
        image("prometheus"), ["/bin/alertmanager", f"--config.file={CONFIG}/alertmanager.yml", "--storage.path=/alertmanager",
                              "--cluster.listen-address="], user=NOBODY, memory="128m", network=network, alias="alertmanager",
        volumes={boxes.volume(): CONFIG, boxes.volume(): SECRETS, boxes.volume(): "/alertmanager"},
        files={f"{CONFIG}/alertmanager.yml": alertmanager.configuration("http://receiver:8080/alerts", None, None),
               f"{SECRETS}/alert-webhook": PASSWORD})
    until(lambda: told(server, "ServiceDown", "layer=infrastructure", "service=kafka"), "Alertmanager takes alerts", server)
    assert told(server, "ConsumerLag", "follows=infrastructure", "layer=ingestion")
    until(lambda: b"ServiceDown" in receiver.logs(), "the receiver is told", server)
    heard = receiver.logs().decode()
    assert heard.startswith("POST /alerts ") and f"Authorization: Bearer {PASSWORD}" in heard
    assert told(server, "ModelDrift", "layer=ml")
    shown = json.loads(run(server, *AMTOOL, "-o", "json", "alert", "query", "-a", "-i")[1])
    held_back = {alert["labels"]["alertname"]: alert["status"]["state"] == "suppressed" for alert in shown}
    assert held_back == {"ServiceDown": False, "ConsumerLag": True, "ModelDrift": False}


def told(server: Container, alert: str, *labels: str) -> bool:
    """Whether Alertmanager took an alert."""
    return run(server, *AMTOOL, "alert", "add", f"alertname={alert}", *labels)[0] == 0


def test_redis_is_read_with_a_password_from_a_file(image: Callable[[str], str], boxes: Boxes) -> None:
    network = boxes.network()
    settings = f"requirepass {PASSWORD}\ndir /tmp\nmaxmemory 64mb\nprotected-mode no\n"
    boxes.start(image("redis"), ["redis-server", f"{CONFIG}/redis.conf"], user="999:999", memory="128m", network=network,
                alias="redis", volumes={boxes.volume(): CONFIG}, files={f"{CONFIG}/redis.conf": settings})
    exporter = exporters.redis(Cache(host="redis", port=6379, password=PASSWORD))
    passwords = json.dumps({"redis://redis:6379": PASSWORD})
    found = start(image, boxes, network, "redis-exporter", exporter, {"passwords.json": passwords})
    until(lambda: sample(found, exporter.port, "redis_up") == 1, "the exporter logs in", found)
    assert sample(found, exporter.port, "redis_memory_max_bytes") == 64 * 1024 * 1024
    assert sample(found, exporter.port, "redis_memory_used_bytes") > 0


def test_postgres_is_read_with_a_password_from_a_file(image: Callable[[str], str], boxes: Boxes) -> None:
    network = boxes.network()
    boxes.start(image("postgres"), ["docker-entrypoint.sh", "postgres", "-c", "max_connections=40"], user="999:999", memory="256m",
                network=network, alias="postgres", tmpfs=("/tmp", "/var/run/postgresql"),
                volumes={boxes.volume(): "/var/lib/postgresql/data", boxes.volume(): SECRETS},
                environment={"POSTGRES_PASSWORD_FILE": f"{SECRETS}/password"}, files={f"{SECRETS}/password": PASSWORD})
    exporter = exporters.postgres(Database(host="postgres", port=5432, name="postgres", user="postgres", password=PASSWORD))
    found = start(image, boxes, network, "postgres-exporter-unit", exporter, {"password": PASSWORD})
    until(lambda: sample(found, exporter.port, "pg_up") == 1, "the exporter logs in", found)
    assert sample(found, exporter.port, "pg_settings_max_connections") == 40
    assert sample(found, exporter.port, "pg_stat_activity_count") >= 1


def start(image: Callable[[str], str], boxes: Boxes, network: str, name: str, exporter: exporters.Exporter,
          secrets: Mapping[str, str] | None = None) -> Container:
    """An exporter as the component declares it; answering."""
    found = boxes.start(image("prometheus"), exporter.command, user=NOBODY, memory="64m", network=network, alias=name,
                        environment={key: str(value) for key, value in exporter.environment.items()},
                        volumes={boxes.volume(): SECRETS},
                        files={f"{SECRETS}/{file}": text for file, text in (secrets or {}).items()})
    until(lambda: run(found, "wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{exporter.port}/")[0] == 0, "it answers", found)
    return found


def sample(container: Container, port: int, metric: str) -> float | None:
    """The sum of a metric's samples on the page of an exporter; None where it has none."""
    text = run(container, "wget", "-q", "-O", "-", f"http://127.0.0.1:{port}/metrics")[1]
    found = re.findall(rf"^{metric}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, found)) if found else None


def values(server: Container, query: str) -> dict[str, float]:
    """The value of an instant query, by service."""
    output = run(server, "promtool", "query", "instant", "-o", "json", "http://127.0.0.1:9090", query)[1]
    found: list[Any] = json.loads(output) if output.startswith("[") else []
    return {series["metric"]["service"]: float(series["value"][1]) for series in found}
