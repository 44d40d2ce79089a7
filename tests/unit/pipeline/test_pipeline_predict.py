"""Rule: the first prediction is one command away, and where there is none the command says why in serving's own words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from operations import predicting
from tests.unit.pipeline.conftest import Command, Platform

Answers = Mapping[str, tuple[int, dict[str, Any]]]
GIVEN = {"prediction_id": "0b54", "patient_id": "PT2", "probability": 0.31, "threshold": 0.25, "class": "high-risk",
         "model": {"name": "adverse-event-predictor", "version": "3", "alias": "champion"},
         "contributions": [{"feature": "heart_rate_mean_24h", "value": 118.0, "contribution": 0.84}]}
UNKNOWN = (404, {"error": "unknown-patient", "message": "the online store has no features of the patient"})
NO_CHAMPION = (503, {"error": "no-champion", "message": "no version is champion yet"})


class FakeConsumer:
    """A topic of two partitions: of each the first offset and the records behind it; None for a broker that is away."""

    def __init__(self, partitions: Sequence[tuple[int, Sequence[bytes | None]]] | None) -> None:
        self.partitions, self.closed = partitions, False
        self.assigned: list[TopicPartition] = []

    def list_topics(self, topic: str, timeout: float) -> Any:
        """The topic."""
        if self.partitions is None:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=dict(enumerate(self.partitions)))})

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        """The first offset and the one behind the last."""
        assert self.partitions is not None
        first, records = self.partitions[place.partition]
        return first, first + len(records)

    def assign(self, places: list[TopicPartition]) -> None:
        """Reads from there on."""
        self.assigned = places

    def consume(self, count: int, timeout: float) -> list[Any]:
        """All records from there on, the later the larger their offset."""
        assert self.partitions is not None
        found = []
        for place in self.assigned:
            first, records = self.partitions[place.partition]
            found += [record(value, first + index) for index, value in enumerate(records) if first + index >= place.offset]
        assert len(found) == count
        return found

    def close(self) -> None:
        """Gone."""
        self.closed = True


def record(value: bytes | None, moment: int) -> Any:
    """A record."""
    return SimpleNamespace(value=lambda: value, error=lambda: None, timestamp=lambda: (1, moment))


def about(patient: str) -> bytes:
    """A record about somebody."""
    return json.dumps({"patient_id": patient}).encode()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answers], list[str]]:
    """Lets serving give these answers, by patient; whom it was asked about."""
    def serving(answers: Answers) -> list[str]:
        patients: list[str] = []

        def post(url: str, json: dict[str, Any], headers: dict[str, str], timeout: float) -> Any:
            assert url.endswith("/v1/predict") and headers["X-API-Key"]
            patients.append(json["patient_id"])
            status, body = answers[json["patient_id"]]
            return SimpleNamespace(status_code=status, json=lambda: body)
        monkeypatch.setattr(requests, "post", post)
        return patients
    return serving


def topic(monkeypatch: pytest.MonkeyPatch, *partitions: tuple[int, Sequence[bytes | None]]) -> FakeConsumer:
    """What stands in Kafka."""
    found = FakeConsumer(partitions)
    monkeypatch.setattr(predicting, "Consumer", lambda _: found)
    return found


def test_a_patient_is_asked_about(platform: Platform, pipeline: Command, asked: Callable[[Answers], list[str]]) -> None:
    """The answer with what moved it; Kafka is not needed."""
    platform()
    patients = asked({"PT2": (200, GIVEN)})
    done = pipeline("ml", "predict", "PT2")
    assert done.status == 0 and patients == ["PT2"]
    assert "high-risk" in done.out and "0.31" in done.out and "heart_rate_mean_24h" in done.out
    assert json.loads(pipeline("ml", "predict", "PT2", "--json").out) == GIVEN


def test_without_a_name_one_of_those_measured_last_is_asked_about(
        platform: Platform, pipeline: Command, asked: Callable[[Answers], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest first, each once; whose features are unknown yet is passed over, as is what is no event."""
    platform()
    read = topic(monkeypatch, (0, [about("PT1"), about("PT2"), about("PT2")]), (100, [about("PT3"), b"{", None, b"[]"]))
    patients = asked({"PT3": UNKNOWN, "PT2": (200, GIVEN)})
    assert pipeline("ml", "predict").status == 0
    assert patients == ["PT3", "PT2"] and read.closed


def test_only_the_latest_records_are_read(platform: Platform, pipeline: Command, asked: Callable[[Answers], list[str]],
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the topic is."""
    platform()
    read = topic(monkeypatch, (7, [about("PT2")] * (predicting.LATEST + 20)))
    asked({"PT2": (200, GIVEN)})
    assert pipeline("ml", "predict").status == 0 and read.assigned[0].offset == 27


def test_without_a_champion_nobody_else_is_asked_about(
        platform: Platform, pipeline: Command, asked: Callable[[Answers], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Serving's words are the command's."""
    platform()
    topic(monkeypatch, (0, [about("PT1"), about("PT2")]))
    patients = asked({"PT1": NO_CHAMPION, "PT2": NO_CHAMPION})
    done = pipeline("ml", "predict")
    assert done.status == 1 and "no version is champion yet" in done.err and patients == ["PT2"]


def test_whose_features_nobody_knows_is_said(
        platform: Platform, pipeline: Command, asked: Callable[[Answers], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """And what to look at where nobody was measured at all."""
    platform()
    asked({"PT9": UNKNOWN})
    done = pipeline("ml", "predict", "PT9")
    assert done.status == 1 and "PT9: the online store has no features of the patient" in done.err
    topic(monkeypatch, (0, []))
    done = pipeline("ml", "predict")
    assert done.status == 1 and "./pipeline ingestion producer" in done.err


def test_what_is_away_is_named(platform: Platform, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serving or Kafka, with the command that says more."""
    platform()

    def post(*_: Any, **__: Any) -> Any:
        raise requests.ConnectionError
    monkeypatch.setattr(requests, "post", post)
    done = pipeline("ml", "predict", "PT2")
    assert done.status == 1 and "./pipeline ml health" in done.err
    away = FakeConsumer(None)
    monkeypatch.setattr(predicting, "Consumer", lambda _: away)
    done = pipeline("ml", "predict")
    assert done.status == 1 and "Kafka does not answer" in done.err and away.closed
