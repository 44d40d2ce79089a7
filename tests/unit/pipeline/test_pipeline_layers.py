"""Commands on jobs, models, the producer and topics: what they ask of services, what they print, what they say when that fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from operations import inside
from operations.layers import ingestion
from operations.layers.ingestion import days_kept, topic_rows
from tests.unit.operations.jobs_fake import Endpoint, Seen, serving
from tests.unit.pipeline.conftest import Command, Platform
from tests.unit.pipeline.kafka_fake import FakeAdmin

OWN = {"ingestion": (["producer"], ["topics"]), "processing": (["submit", "gold"], ["jobs"]),
       "ml": (["predict"], ["train"], ["models"], ["promote", "3"], ["rollback"], ["features"], ["jobs"]),
       "orchestration": (["dags"], ["trigger", "backup"]), "observability": (["alerts"], ["dashboards"])}
KEYS = {"spark-batch": "canarysparkjobskey0123456789", "ml-training": "canarytrainingjobskey0123456789",
        "feature-engineering": "canaryfeaturesjobskey0123456789"}


@contextmanager
def endpoint(platform: Platform, service: str) -> Iterator[tuple[Endpoint, list[Seen]]]:
    """A platform in which this service's job endpoint answers."""
    knows = Endpoint(KEYS[service])
    knows.states = ["succeeded"]
    with serving(knows.answer) as (port, seen):
        platform(ports={service: port})
        yield knows, seen


@pytest.mark.parametrize(("layer", "command"), [(layer, command) for layer, commands in OWN.items() for command in commands])
def test_a_layer_that_does_not_run_says_so(platform: Platform, pipeline: Command, layer: str, command: list[str]) -> None:
    """In one line, with the command that starts it; nobody is asked."""
    needed = "infrastructure" if command == ["topics"] else layer
    platform(stopped=("infrastructure", "ingestion", "processing", "ml", "orchestration", "storage", "observability"))
    done = pipeline(layer, *command)
    assert done.status == 1 and f"{needed} is stopped" in done.err and f"`./pipeline {needed} start --stack dev`" in done.err


def test_a_spark_job_is_submitted_and_waited_for(platform: Platform, pipeline: Command) -> None:
    """With its parameters and the stack's key; its result is printed."""
    with endpoint(platform, "spark-batch") as (_, seen):
        done = pipeline("processing", "submit", "gold", "from=2026-11-24", "to=2026-11-25")
    assert done.status == 0 and {"job-1", "succeeded", "rows", "7"} <= set(done.out.split())
    assert seen[0] == ("POST", "/jobs", {}, {"kind": "gold", "parameters": {"from": "2026-11-24", "to": "2026-11-25"}},
                       KEYS["spark-batch"])


def test_a_job_that_is_not_waited_for_is_only_submitted(platform: Platform, pipeline: Command) -> None:
    """As data for a program that looks later."""
    with endpoint(platform, "spark-batch") as (_, seen):
        done = pipeline("processing", "submit", "compact", "--no-wait", "--json")
    assert json.loads(done.out)["id"] == "job-1" and [asked[0] for asked in seen] == ["POST"]


def test_a_failed_job_fails_the_command(platform: Platform, pipeline: Command) -> None:
    """Scripts go by the exit status."""
    with endpoint(platform, "spark-batch") as (knows, _):
        knows.states = ["failed"]
        done = pipeline("processing", "submit", "gold")
    assert done.status == 1 and "the job gold job-1 failed" in done.err


def test_a_job_that_nobody_waits_for_any_more_goes_on(platform: Platform, pipeline: Command,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    """The command says that it goes on, and where."""
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("operations.jobs.Jobs.wait", interrupted)
    with endpoint(platform, "spark-batch") as (_, seen):
        done = pipeline("processing", "submit", "gold")
    assert done.status == 130 and "job-1 goes on" in done.err and [asked[0] for asked in seen] == ["POST"]


@pytest.mark.parametrize("command", [
    ["processing", "submit", "gold", "from=2026-11-24"], ["ml", "train", "--no-promote"], ["ml", "promote", "3"],
    ["ml", "rollback"], ["ml", "features", "online"]])
def test_a_dry_run_submits_nothing(platform: Platform, pipeline: Command, monkeypatch: pytest.MonkeyPatch,
                                   command: list[str]) -> None:
    """It says what it would, and asks no service."""
    asked: list[object] = []
    monkeypatch.setattr("requests.Session.request", lambda *given, **_: asked.append(given))
    platform()
    done = pipeline(*command, "--dry-run")
    assert (done.status, asked) == (0, []) and "would submit" in done.err


def test_jobs_are_listed_shown_logged_and_cancelled(platform: Platform, pipeline: Command) -> None:
    """The newest first; an id shows one; --cancel ends it."""
    with endpoint(platform, "spark-batch") as (knows, seen):
        knows.states, knows.lines = [], ["begins", "ends"]
        knows.add("gold", "succeeded")
        knows.add("compact", "failed")["error"] = "no space\nand much more"
        listed = [line.split() for line in pipeline("processing", "jobs").out.splitlines()]
        assert [line[:3] for line in listed[1:]] == [["job-2", "compact", "failed"], ["job-1", "gold", "succeeded"]]
        assert listed[1][-3:] == ["30", "no", "space"]
        assert [job["id"] for job in json.loads(pipeline("processing", "jobs", "--status", "failed", "--json").out)] == ["job-2"]
        assert json.loads(pipeline("processing", "jobs", "job-1", "--json").out)["result"] == {"rows": 7}
        assert pipeline("processing", "jobs", "job-1", "--logs", "1").out == "ends\n"
        assert "cancelled" in pipeline("processing", "jobs", "job-1", "--cancel").out
        assert [asked[:2] for asked in seen if asked[0] == "DELETE"] == [("DELETE", "/jobs/job-1")]
        assert "there is no job of this id" in pipeline("processing", "jobs", "job-9").err
        done = pipeline("processing", "jobs", "--cancel")
        assert done.status == 1 and "name the job" in done.err


def test_training_takes_its_options(platform: Platform, pipeline: Command) -> None:
    """The endpoint's own default of the seed stays where none is given."""
    with endpoint(platform, "ml-training") as (_, seen):
        pipeline("ml", "train")
        pipeline("ml", "train", "--seed", "7", "--no-promote", "--no-wait")
        pipeline("ml", "promote", "3")
        pipeline("ml", "rollback")
    posted = [asked[3] for asked in seen if asked[0] == "POST"]
    assert posted == [{"kind": "train", "parameters": {"promote": True}},
                      {"kind": "train", "parameters": {"promote": False, "seed": 7}},
                      {"kind": "promote", "parameters": {"version": 3}}, {"kind": "rollback", "parameters": {}}]


def test_features_are_shown_or_made(platform: Platform, pipeline: Command) -> None:
    """Without a job's name the definitions; windows in hours."""
    with endpoint(platform, "feature-engineering") as (knows, seen):
        knows.documents["/features"] = {"version": 4, "features": [
            {"name": "pulse_mean_6h", "kind": "vital", "unit": "/min", "window": 21600.0, "description": "mean pulse"}]}
        done = pipeline("ml", "features")
        assert done.out.splitlines()[1].split() == ["pulse_mean_6h", "vital", "/min", "6", "mean", "pulse"]
        assert "version 4" in done.err
        assert json.loads(pipeline("ml", "features", "--json").out)["version"] == 4
        assert pipeline("ml", "features", "parity", "patients=9").status == 0
    assert [asked[3] for asked in seen if asked[0] == "POST"] == [{"kind": "parity", "parameters": {"patients": 9}}]


def test_versions_of_the_model_carry_their_aliases(platform: Platform, pipeline: Command) -> None:
    """The newest first; those of other models are left out."""
    def registry(method: str, path: str, query: dict[str, str], body: Any, key: str) -> tuple[int, Any]:
        if path.endswith("registered-models/search"):
            aliases = [{"alias": "champion", "version": "2"}, {"alias": "previous", "version": "1"}]
            return 200, {"registered_models": [{"name": "other", "aliases": [{"alias": "champion", "version": "1"}]},
                                               {"name": "adverse-event-predictor", "aliases": aliases}]}
        assert query["filter"] == "name='adverse-event-predictor'"
        return 200, {"model_versions": [{"version": number, "creation_timestamp": 1764064800000, "run_id": f"run{number}",
                                         "tags": [{"key": "auroc", "value": "0.8"}]} for number in ("1", "2")]}

    with serving(registry) as (port, _):
        platform(ports={"mlflow-server": port})
        found = json.loads(pipeline("ml", "models", "--json").out)
    assert [(version["version"], version["aliases"], version["tags"]) for version in found] == [
        (2, ["champion"], {"auroc": "0.8"}), (1, ["previous"], {"auroc": "0.8"})]
    done = pipeline("ml", "models")
    assert done.status == 1 and "the registry does not answer" in done.err


METRICS = """producer_target_rate 100.0
producer_rate 99.51
producer_history_done 1.0
producer_sent_total{topic="a"} 5.0
producer_sent_total{topic="b"} 6.0
producer_confirmed_total{topic="a"} 10.0
producer_unconfirmed 1.0
"""


def test_the_producer_says_how_fast_it_is(platform: Platform, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its own metrics, over all topics."""
    platform()
    monkeypatch.setattr(inside, "get", lambda container, path: (200, METRICS))
    assert json.loads(pipeline("ingestion", "producer", "--json").out) == {
        "wanted_rate": 100.0, "rate": 99.5, "history_sent": True, "sent": 11, "confirmed": 10, "unconfirmed": 1,
        "failed_deliveries": 0}


def test_a_producer_that_is_away(platform: Platform, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next step is named."""
    def away(container: str, path: str) -> tuple[int, str]:
        raise RuntimeError("there is no container")

    platform()
    monkeypatch.setattr(inside, "get", away)
    done = pipeline("ingestion", "producer")
    assert done.status == 1 and "there is no container; `./pipeline ingestion start`" in done.err


def test_a_rate_is_written_into_the_configuration(platform: Platform, pipeline: Command) -> None:
    """So that a later update keeps it; a dry run writes nothing, and a wrong one is refused before."""
    stack = platform()
    done = pipeline("ingestion", "producer", "--rate", "250", "--dry-run")
    assert done.status == 0 and "from 100 to 250" in done.err and stack.calls == []
    done = pipeline("ingestion", "producer", "--rate", "-1")
    assert done.status == 1 and "producerRate" in done.err and stack.calls == []
    assert pipeline("ingestion", "producer", "--rate", "250").status == 0
    assert stack.calls == ["set clinical:producerRate 250", "refresh", "up"]


def test_topics_show_what_is_not_in_bronze_yet() -> None:
    """What Kafka no longer has cannot be behind; a partition that was never stored is, as far as it has records."""
    rows = topic_rows(FakeAdmin({"labs": {0: (0, 10), 1: (5, 25)}, "__consumer_offsets": {0: (0, 99)}}, stored={("labs", 0): 8}))
    assert rows == [{"topic": "labs", "partitions": 2, "copies": 2, "in_step": True, "days": 7.0, "records": 30, "lag": 22}]
    assert topic_rows(FakeAdmin({"labs": {0: (0, 10)}}, stored=None))[0]["lag"] == 10
    assert not topic_rows(FakeAdmin({"labs": {0: (0, 10)}}, in_step=1))[0]["in_step"]
    with pytest.raises(KafkaException):  # what nobody could say is not what nobody has stored
        topic_rows(FakeAdmin({"labs": {0: (0, 10)}}, group_error=KafkaError._TIMED_OUT))


def test_a_compacted_topic_has_no_days(platform: Platform, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its records stay."""
    assert days_kept(FakeAdmin.config("compact")) is None
    platform()
    monkeypatch.setattr(ingestion, "AdminClient", lambda _: FakeAdmin({"labs": {0: (0, 1234)}}))
    assert "1,234" in pipeline("ingestion", "topics").out


def test_kafka_that_is_away(platform: Platform, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """In plain words."""
    platform()
    monkeypatch.setattr(ingestion, "AdminClient", lambda _: FakeAdmin(None))
    done = pipeline("ingestion", "topics")
    assert done.status == 1 and "Kafka does not answer on 127.0.0.1" in done.err and "infrastructure health" in done.err
