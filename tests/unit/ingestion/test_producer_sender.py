"""Rules: the sender loses nothing while the broker is away or its client breaks, and holds a bounded number of messages."""

from __future__ import annotations

import pytest

from applications.clinical.simulation import Message
from applications.ingestion.producer import sender as module
from applications.ingestion.producer.sender import Sender, configuration
from tests.unit.ingestion.broker_fake import Broker


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(module, "FULL_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(module, "QUEUE_MESSAGES", 50)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def confirmed() -> list[str]:
    return []


@pytest.fixture
def sender(broker: Broker, confirmed: list[str]) -> Sender:
    return Sender("kafka:29092", "test", lambda message: confirmed.append(message.event_id), broker.client)


def message(number: int) -> Message:
    return Message(str(number), "patient-vitals", f"PT{number:08d}", b"%d" % number, None)


def test_a_message_is_confirmed_once_and_stored_under_its_patient(sender: Sender, broker: Broker, confirmed: list[str]) -> None:
    assert sender.send(message(1))
    assert sender.unconfirmed == 1
    assert sender.oldest is not None
    assert confirmed == []
    sender.poll(0)
    assert confirmed == ["1"]
    assert broker.records == [("patient-vitals", "PT00000001", b"1")]
    assert (sender.unconfirmed, sender.oldest) == (0, None)


def test_while_the_broker_is_away_it_holds_a_bounded_number_and_delivers_all_of_them_later(
        sender: Sender, broker: Broker, confirmed: list[str]) -> None:
    broker.up = False
    taken = [number for number in range(80) if sender.send(message(number))]
    assert taken == list(range(50))
    assert sender.flush(0.02) == 50
    assert confirmed == []
    broker.up = True
    assert sender.flush(5) == 0
    assert sorted(map(int, confirmed)) == taken
    assert sender.send(message(50))


def test_a_failed_delivery_is_sent_again(sender: Sender, broker: Broker, confirmed: list[str]) -> None:
    broker.failing = 3
    for number in range(5):
        sender.send(message(number))
    assert sender.flush(5) == 0
    assert sorted(confirmed) == list("01234")
    assert sorted(value for _, _, value in broker.records) == [b"0", b"1", b"2", b"3", b"4"]


def test_a_client_that_broke_for_good_is_replaced_and_its_messages_go_to_the_new_one(
        sender: Sender, broker: Broker, confirmed: list[str]) -> None:
    sender.send(message(0))
    broker.fatal = True
    sender.send(message(1))
    assert sender.flush(5) == 0
    assert len(broker.clients) == 2
    assert sorted(confirmed) == ["0", "1"]
    assert {value for _, _, value in broker.records} == {b"0", b"1"}


def test_its_health_is_the_broker_s(sender: Sender, broker: Broker) -> None:
    assert sender.check() is None
    broker.up = False
    assert "transport failure" in str(sender.check())


def test_the_client_is_idempotent_confirmed_by_all_and_patient_without_limit() -> None:
    found = configuration("kafka:29092", "me")
    assert found["enable.idempotence"] is True
    assert found["acks"] == "all"
    assert found["message.timeout.ms"] == 0
    assert found["partitioner"] == "murmur2_random"
