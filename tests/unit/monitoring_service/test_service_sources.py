"""Kafka, services, Prometheus and Airflow as they are measured."""

from __future__ import annotations

import socket
import threading

import pytest
from confluent_kafka import KafkaError, KafkaException

from applications.monitoring.service import kafka
from applications.monitoring.service import services as services_module
from applications.monitoring.service.clients import Airflow, Away, Client, Prometheus
from applications.monitoring.service.flow import STAGES, Flow
from applications.monitoring.service.kafka import Snapshot
from applications.monitoring.service.services import Services, knocked
from applications.monitoring.service.workflows import RUNS_OF_DAG, Workflows
from tests.unit.monitoring_service.json_server import serving
from tests.unit.monitoring_service.service_world import PLATFORM, values

PATIENCE = 120


class Source:
    """A Kafka of two topics, one of them empty, and a group that has committed in two partitions of three."""

    def snapshot(self) -> Snapshot:
        """What it says."""
        return Snapshot(begins={("labs", 0): 0, ("labs", 1): 0, ("labs", 2): 5, ("empty", 0): 0},
                        ends={("labs", 0): 100, ("labs", 1): 50, ("labs", 2): 25, ("empty", 0): 0},
                        newest={("labs", 0): 2_000_500, ("labs", 1): 1_000},
                        under_replicated={"labs": 1, "empty": 0},
                        committed={"bronze": {("labs", 0): 70, ("labs", 1): 55, ("gone", 0): 3}}, members={"bronze": 2})


def test_lag_is_what_is_not_committed() -> None:
    """Never below nothing (a commit may come after the ends were read), all of a partition that was never read, and none of a topic
    that is gone."""
    found = kafka.measure(Source())
    assert values(found) == {
        ("kafka_topic_end_offset_total", "labs"): 175, ("kafka_topic_end_offset_total", "empty"): 0,
        ("kafka_topic_newest_record_timestamp_seconds", "labs"): 2000.5,
        ("kafka_topic_under_replicated_partitions", "labs"): 1, ("kafka_topic_under_replicated_partitions", "empty"): 0,
        ("kafka_consumer_group_lag", "bronze", "labs", "0"): 30, ("kafka_consumer_group_lag", "bronze", "labs", "1"): 0,
        ("kafka_consumer_group_lag", "bronze", "labs", "2"): 20,
        ("kafka_consumer_group_lag_records", "bronze", "labs"): 50, ("kafka_consumer_group_members", "bronze"): 2}
    assert found.facts == {
        "topics": [{"name": "empty", "records": 0, "newest": None}, {"name": "labs", "records": 175, "newest": 2000.5}],
        "groups": [{"name": "bronze", "members": 2, "topics": [{"name": "labs", "lag": 50}]}]}


def test_a_kafka_that_is_away_is_told_in_words() -> None:
    """Port 9 is nobody's."""
    with pytest.raises(Away, match="Kafka does not answer"):
        kafka.Cluster("127.0.0.1:9").snapshot()


def test_after_a_failure_kafka_is_asked_by_a_new_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was interrupted may never get an answer again."""
    made: list[FakeAdmin] = []

    class FakeAdmin:
        def __init__(self, configuration: dict[str, object]) -> None:
            made.append(self)

        def list_topics(self, timeout: float) -> None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    monkeypatch.setattr(kafka, "AdminClient", FakeAdmin)
    cluster = kafka.Cluster("kafka:9092")
    for clients in (1, 2):
        with pytest.raises(Away, match="Kafka does not answer"):
            cluster.snapshot()
        assert len(made) == clients


def test_a_service_is_up_while_its_port_is_open() -> None:
    """One without a port is up if somebody says so, and left out where nobody does; a stopped layer's are not missed."""
    services = Services(PLATFORM, lambda: {"quiet": True, "minio": False}, lambda host, port: (host, port) == ("minio", 9000))
    found = services.measure()
    assert values(found) == {("service_up", "minio", "infrastructure"): 1, ("service_up", "quiet", "infrastructure"): 1,
                             ("service_up", "kafka-consumer", "ingestion"): 0}
    assert found.facts == {"minio": True, "quiet": True, "kafka-consumer": False}
    assert "quiet" not in Services(PLATFORM, lambda: None, lambda *_: True).measure().facts


def test_a_service_whose_name_is_looked_for_in_vain_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as down while nobody answers, is asked no second time meanwhile, and is up as soon as it is."""
    answered, asked = threading.Event(), list[str]()

    def knock(host: str, _: int) -> bool:
        asked.append(host)
        return host == "minio" or answered.wait(PATIENCE)

    services = Services(PLATFORM, lambda: None, knock)
    for _ in range(2):
        assert services.measure().facts == {"minio": True, "kafka-consumer": False}
    assert asked.count("kafka-consumer") == 1 and asked.count("minio") == 2
    monkeypatch.setattr(services_module, "ANSWER_SECONDS", PATIENCE)
    answered.set()
    assert services.measure().facts == {"minio": True, "kafka-consumer": True}


def test_knocking() -> None:
    """An open port opens, a closed one and an unknown host do not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert knocked("127.0.0.1", port)
    assert not knocked("127.0.0.1", port)
    assert not knocked("no-such-host.invalid", 80)


def test_the_flow_has_every_stage_in_order() -> None:
    """A stage without a series has no rate, which is not the same as none; NaN is no JSON."""
    series = {"metric": {"stage": "gateway"}, "values": [[1, "2.5"], [31, "NaN"]], "value": [31, "3.25"]}
    silent = {"metric": {"service": "minio", "layer": "infrastructure"}, "value": [31, "0"]}
    with serving({"GET /api/v1/query_range": (200, {"data": {"result": [series]}}),
                  "GET /api/v1/query": [(200, {"data": {"result": [series]}}), (200, {"data": {"result": [silent]}})]}) as server:
        facts = Flow(Prometheus(server.url), lambda: 1000.0).measure().facts
        (asked,) = server.of("/api/v1/query_range")
    assert [stage["name"] for stage in facts["stages"]] == list(STAGES)
    stages = {stage["name"]: stage for stage in facts["stages"]}
    assert stages["gateway"] == {"name": "gateway", "rate": 3.25, "history": [[1.0, 2.5], [31.0, None]]}
    assert stages["gold"] == {"name": "gold", "rate": None, "history": []}
    assert facts["silent"] == ["minio"]
    assert all(query in asked.query["query"] for query in STAGES.values()) and float(asked.query["end"]) == 990


def run(dag: str, number: int, state: str = "success") -> dict[str, object]:
    """A run as Airflow tells of it."""
    return {"dag_id": dag, "dag_run_id": f"run-{number}", "state": state, "start_date": "1970-01-01T00:00:10Z",
            "end_date": None if state == "running" else "1970-01-01T00:00:25.500000+00:00"}


def test_workflows_are_the_last_runs_of_each_dag() -> None:
    """At most ten of each, the newest first; a token that has expired is fetched anew."""
    runs = [run("b", 1, "running"), *(run("a", number) for number in range(15))]
    health = {"scheduler": {"status": "healthy"}, "dag_processor": {"status": "unhealthy"}, "triggerer": {"status": None}}
    with serving({"GET /api/v2/monitor/health": (200, health), "POST /auth/token": (201, {"access_token": "t"}),
                  "GET /api/v2/dags/~/dagRuns": [(401, {}), (200, {"dag_runs": runs})]}) as server:
        airflow = Airflow(server.url, "monitoring", "a-password")
        facts = Workflows(airflow).measure().facts
        tokens = server.of("/auth/token")
    assert facts["alive"] == {"airflow-scheduler": True, "airflow-dag-processor": False, "airflow-triggerer": False}
    assert [(dag["name"], len(dag["runs"])) for dag in facts["dags"]] == [("a", RUNS_OF_DAG), ("b", 1)]
    assert facts["dags"][0]["runs"][0] == {"id": "run-0", "state": "success", "begin": 10.0, "end": 25.5}
    assert facts["dags"][1]["runs"][0]["end"] is None
    assert [token.body for token in tokens] == [{"username": "monitoring", "password": "a-password"}] * 2


@pytest.mark.parametrize(("answer", "words"), [((503, {}), "answers /x with 503"), ((200, b"<html>"), "something else than JSON")])
def test_a_bad_answer_is_told_in_words(answer: tuple[int, object], words: str) -> None:
    """By the service's name, without its body."""
    with serving({"GET /x": answer}) as server, pytest.raises(Away, match=f"thing .*{words}"):
        Client("thing", server.url).get("/x")
    with pytest.raises(Away, match="thing does not answer"):
        Client("thing", server.url).get("/x")
