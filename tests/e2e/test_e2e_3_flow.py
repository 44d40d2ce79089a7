"""Rule: what was accepted is in the lake exactly once, or in quarantine with its reason and its bytes, whatever crashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from applications.clinical.models import INGRESS
from applications.clinical.silver import row
from applications.clinical.simulation import Entry, FaultKind
from tests.e2e.accounts import Accounts, positions
from tests.e2e.flow import Senders, at_rest, crash, healthy, wait_until
from tests.e2e.lake import Lake, Position, Record
from tests.e2e.stack import Stack

STREAMED, THROUGH_GATEWAY = 15_000, 5_000
CRASHED = ("kafka-consumer", "lab-results-processor", "clinical-mq", "spark-streaming", "minio", "kafka")
REFUSED = (FaultKind.WRONG_UNIT, FaultKind.MALFORMED)
PREFIXES = {"kafka-producer": "PTK", "clinical-data-generator": "PTG"}


@dataclass(frozen=True)
class Outcome:
    """What Kafka, the lake and the senders say after a run; `due` is what must have become of the records in bronze."""

    accepted: list[Entry]
    kafka: dict[Position, Record]
    bronze: dict[Position, Record]
    doubled: list[Position]
    due: Accounts
    silver: dict[str, list[dict[str, Any]]]
    quarantine: list[dict[str, Any]]


@pytest.fixture(scope="module")
def lake(platform: Stack) -> Lake:
    """The reader of everything."""
    return Lake(platform)


@pytest.fixture(scope="module")
def outcome(platform: Stack, lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """A run of 20,000 messages in which six services are killed, and what is there once all is at rest."""
    senders = Senders(platform, Path(tmp_path_factory.mktemp("flow")), STREAMED, THROUGH_GATEWAY)
    senders.start()
    for service in CRASHED:
        crash(platform, service)
        wait_until(f"all services are healthy after {service} was killed", lambda: healthy(platform))
    accepted = senders.finish()
    for service in PREFIXES:  # so that there is an end to compare
        platform.containers()[service].stop(timeout=60)
    wait_until("what was accepted has come through the queue to Kafka", lambda: at_rest(platform, lake))
    kafka = lake.topics()
    wait_until("everything in Kafka stands in bronze", lambda: kafka.keys() <= lake.bronze()[0].keys())
    bronze, doubled = lake.bronze()
    due = Accounts(bronze)
    wait_until("the stream has come to the end of the topics", lambda: due.settled(lake))
    silver = {kind: lake.table(f"silver/{kind}") for kind in INGRESS}
    yield Outcome(accepted, kafka, bronze, doubled, due, silver, lake.table("quarantine/events"))
    for service in PREFIXES:
        platform.containers()[service].start()


def test_events_of_every_type_and_both_ways_reach_silver(lake: Lake) -> None:
    """Without a hand, soon after the update: the platform's own simulated patients, straight and through the gateway."""
    def missing() -> list[str]:
        return [f"{service} {kind}" for kind in INGRESS for service, prefix in PREFIXES.items()
                if not any(found["patient_id"].startswith(prefix) for found in lake.table(f"silver/{kind}", ["patient_id"]))]
    wait_until("events of every type from both senders stand in silver", lambda: missing() == [])


def test_what_was_accepted_is_in_kafka(outcome: Outcome) -> None:
    """Every event_id that a sender was told is safe, is; what the gateway refused stands in the dead letters."""
    there = {event_id for event_id in outcome.due.valid}
    kept = [entry for entry in outcome.accepted if entry.kind not in REFUSED]
    assert len(kept) > (STREAMED + THROUGH_GATEWAY) * 0.9
    assert [entry for entry in kept if entry.event_id not in there] == []
    counts = Counter(entry.kind or "clean" for entry in outcome.accepted)
    print(f"\naccepted: {len(outcome.accepted)} messages, {dict(counts)}")


def test_bronze_is_kafka_record_by_record(outcome: Outcome) -> None:
    """Each position once, with the same bytes."""
    assert outcome.doubled == []
    assert {position for position in outcome.kafka if position not in outcome.bronze} == set()
    assert all(outcome.bronze[position] == record for position, record in outcome.kafka.items())
    print(f"\nKafka: {len(outcome.kafka)} records, bronze: {len(outcome.bronze)} records")


def test_silver_and_quarantine_are_bronze_without_repeats(outcome: Outcome) -> None:
    """Each valid event_id once in its table, each invalid record once in quarantine; nothing else."""
    rows = [(kind, found) for kind, table in outcome.silver.items() for found in table]
    counts = Counter(found["event_id"] for _, found in rows)
    assert [event_id for event_id, count in counts.items() if count > 1] == []
    assert set(counts) == set(outcome.due.valid)
    assert [found["event_id"] for kind, found in rows if outcome.due.valid[found["event_id"]].event_type != kind] == []
    held = Counter(positions(outcome.quarantine))
    assert [position for position, count in held.items() if count > 1] == []
    assert set(held) == outcome.due.refused
    print(f"\nsilver: {len(rows)} events, {dict(Counter(kind for kind, _ in rows))}; "
          f"quarantine: {len(outcome.quarantine)}, {dict(Counter(found['reason'] for found in outcome.quarantine))}")


def test_silver_holds_what_the_events_say(outcome: Outcome) -> None:
    """Canonical values, not merely rows."""
    for kind, table in outcome.silver.items():
        for found in table:
            wanted = row(outcome.due.valid[found["event_id"]])
            wanted.pop("original", None)
            assert {key: found[key] for key in wanted} == wanted, kind


def test_every_quarantined_record_has_its_reason_and_its_bytes(outcome: Outcome) -> None:
    """Enough to mend it and send it again."""
    for position, found in zip(positions(outcome.quarantine), outcome.quarantine, strict=True):
        assert found["reason"]
        raw = outcome.bronze[position].value if position in outcome.due.invalid else outcome.due.letters[position]
        assert (found["raw"] or b"") == (raw or b""), position
        if position in outcome.due.invalid:
            assert found["reason"] == outcome.due.invalid[position].code


def test_faults_that_were_put_in_went_where_they_belong(outcome: Outcome) -> None:
    """Wrong units and malformed messages are in quarantine and never in silver; every other fault is mended."""
    for entry in outcome.accepted:
        assert (entry.event_id in outcome.due.valid) is (entry.kind not in REFUSED), entry
    struck = Counter(entry.kind for entry in outcome.accepted if entry.kind)
    assert set(struck) >= {FaultKind.DUPLICATE, FaultKind.LATE, FaultKind.WRONG_UNIT, FaultKind.MALFORMED}
