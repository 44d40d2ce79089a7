"""Rule: one lost event, one doubled event or one late recovery anywhere makes the run fail and stands on its page."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from applications.clinical.models import DeadLetter
from applications.clinical.reasons import ReasonCode
from tests.chaos.bronze import Bronze
from tests.chaos.planner import Fault, Kind
from tests.chaos.report import Outcome, Summary, problems, report
from tests.chaos.sending import body_of
from tests.chaos.verdict import Ending, Verdict, compare, event_of
from tests.e2e.lake import Position, Record

NOW = datetime.now(UTC)
VITALS, LAB = body_of(1)
VITALS_AT, LAB_AT, BAD_AT = ("patient-vitals", 0, 0), ("lab-results", 1, 0), ("patient-vitals", 0, 1)
NOTHING: Verdict = Verdict(frozenset(), frozenset())


def record(value: Any) -> Record:
    """A record of Kafka that holds this as JSON."""
    return Record(int(NOW.timestamp() * 1000), b"key", json.dumps(value).encode())


def refusal(position: Position, raw: bytes) -> dict[str, Any]:
    """A row of the quarantine."""
    return dict(zip(("source_topic", "source_partition", "source_offset"), position, strict=True)) | {"raw": raw}


def ending(**changes: Any) -> Ending:
    """Two accepted events and a simulated patient's invalid one, all where they belong."""
    records = {VITALS_AT: record(VITALS), LAB_AT: record(LAB), BAD_AT: Record(int(NOW.timestamp() * 1000), None, b"no json")}
    whole = Ending(
        promised={VITALS["event_id"], LAB["event_id"]}, kafka=records, bronze=records, copies=Counter(list(records)),
        silver={"patient-vitals": [{"event_id": VITALS["event_id"]}], "lab-results": [{"event_id": LAB["event_id"]}]},
        quarantine=[refusal(BAD_AT, b"no json")])
    return replace(whole, **changes)


def wrong(found: Ending) -> dict[str, tuple[int, int]]:
    """The rules that are broken: how many lost, how many doubled."""
    return {rule: (len(one.lost), len(one.doubled)) for rule, one in found.verdicts().items() if not one.well}


def test_a_whole_lake_breaks_no_rule() -> None:
    """Else every other test here would prove nothing."""
    assert wrong(ending()) == {}
    assert ending().repeated() == 0


def test_a_lost_event_is_found() -> None:
    """Accepted, and in no table."""
    lost = ending(silver={"patient-vitals": [{"event_id": VITALS["event_id"]}], "lab-results": []})
    assert wrong(lost) == {"every accepted event once in silver or quarantine": (1, 0),
                           "every valid event of bronze once in silver": (1, 0)}


def test_a_doubled_event_is_found() -> None:
    """Twice in its table, or in silver and in quarantine."""
    row = {"event_id": LAB["event_id"]}
    twice = ending(silver={"patient-vitals": [{"event_id": VITALS["event_id"]}], "lab-results": [row, row]})
    assert wrong(twice) == {"every accepted event once in silver or quarantine": (0, 1),
                            "every valid event of bronze once in silver": (0, 1)}
    both = ending(quarantine=[refusal(BAD_AT, b"no json"), refusal(LAB_AT, json.dumps(LAB).encode())])
    assert wrong(both) == {"every accepted event once in silver or quarantine": (0, 1)}


def test_records_that_bronze_lost_or_doubled_are_found() -> None:
    """By position, whoever sent them."""
    for count, found in ((0, (1, 0)), (2, (0, 1))):
        copies = Counter({VITALS_AT: 1, LAB_AT: 1, BAD_AT: count})
        assert wrong(ending(copies=copies)) == {"every record of Kafka once in bronze": found}


def test_a_refusal_that_quarantine_lost_or_doubled_is_found() -> None:
    """One row for each refused record."""
    one = refusal(BAD_AT, b"no json")
    assert wrong(ending(quarantine=[])) == {"every refusal once in quarantine": (1, 0)}
    assert wrong(ending(quarantine=[one, one])) == {"every refusal once in quarantine": (0, 1)}


def test_a_resend_is_no_double() -> None:
    """Two records of one event at two positions are what the contract allows; silver has it once."""
    records = {**ending().bronze, ("lab-results", 1, 1): record(LAB)}
    resent = ending(kafka=records, bronze=records, copies=Counter(list(records)))
    assert wrong(resent) == {}
    assert resent.repeated() == 1


def test_the_event_in_a_dead_letter_is_recognised() -> None:
    """What a queue gave up on is not lost."""
    dead = DeadLetter(reason=ReasonCode.REDELIVERY_LIMIT, reasons=[], service="s", recorded_time=NOW,
                      raw=base64.b64encode(json.dumps(LAB).encode()).decode())
    found = Record(0, None, dead.model_dump_json().encode())
    assert event_of(("dead-letter", 0, 0), found) == LAB["event_id"]
    assert event_of(("dead-letter", 0, 0), Record(0, None, b"nothing")) is None
    assert event_of(BAD_AT, Record(0, None, None)) is None


def parquet(*positions: Position) -> bytes:
    """An object of bronze with these records."""
    rows = [{"topic": p[0], "partition": p[1], "offset": p[2], "timestamp": NOW, "key": b"", "value": json.dumps(LAB).encode()}
            for p in positions]
    body = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), body)
    return body.getvalue()


class FakeStack:
    """As much of a stack as the reader of bronze looks at before it reads."""

    secrets = {"lake-monitoring-service": "-"}  # noqa: RUF012

    def port(self, name: str) -> int:
        """Any."""
        return 0


@pytest.fixture
def bronze() -> Bronze:
    """A reader that has read nothing."""
    return Bronze(FakeStack())  # type: ignore[arg-type]


def test_bronze_counts_positions_over_objects(bronze: Bronze) -> None:
    """The same record in two objects is there twice."""
    bronze._take("a", "1", parquet(LAB_AT))
    assert bronze.verdict({LAB["event_id"]}) == NOTHING
    assert bronze.verdict({VITALS["event_id"]}).lost == {VITALS["event_id"]}
    bronze._take("b", "1", parquet(LAB_AT))
    assert bronze.verdict(set()).doubled == {LAB_AT}


def test_an_object_that_was_written_anew_counts_once(bronze: Bronze) -> None:
    """After a crash the consumer writes the same name again."""
    bronze._take("a", "1", parquet(LAB_AT))
    bronze._take("a", "2", parquet(LAB_AT, ("lab-results", 1, 1)))
    assert bronze.verdict(set()) == NOTHING
    assert set(bronze.records) == {LAB_AT, ("lab-results", 1, 1)}


def outcome(**changes: Any) -> Outcome:
    """A fault that did no harm."""
    fault = Fault(seed=1, number=4, kind=Kind.CUT, targets=("minio", "kafka-consumer"), seconds=20, quiet=5)
    return replace(Outcome(fault=fault, recovered=31.4, accepted=120, lost=0, doubled=0), **changes)


def summary(**changes: Any) -> Summary:
    """The end of a good run."""
    whole = Summary(undisturbed=14.0, accepted=900, alerts=40, records=2000, repeated=2, answers={"202": 890, "503": 10},
                    surprises=[], verdicts={"a rule": NOTHING})
    return replace(whole, **changes)


def test_a_good_run_has_no_problems_and_says_so() -> None:
    """The page holds the fault's row and the result."""
    page = report([outcome()], summary(), "20.10", ["infrastructure"])
    assert problems([outcome()], summary()) == []
    assert "| 1 | 4 | network cut | minio, kafka-consumer | 20 s | 31 s | 120 | 0 | 0 |" in page
    assert "Nothing was lost" in page and "What was wrong" not in page


@pytest.mark.parametrize(("outcomes", "end", "words"), [
    ([outcome(lost=1)], summary(), "1 lost and 0 doubled"),
    ([outcome(doubled=2)], summary(), "0 lost and 2 doubled"),
    ([outcome(recovered=None, states="kafka exited")], summary(), "not well again within 480 s: kafka exited"),
    ([outcome(recovered=250.0)], summary(), "well again after 250 s, the limit is 240 s"),
    ([outcome()], summary(verdicts={"a rule": compare({"x"}, {})}), "at the end, a rule: 1 lost"),
    ([outcome()], summary(verdicts={"a rule": compare({"x"}, {"x": 2})}), "0 lost, 1 doubled"),
    ([outcome()], summary(surprises=["500: oh"]), "answered a valid event with 500: oh")])
def test_whatever_is_wrong_fails_the_run_and_stands_on_the_page(outcomes: list[Outcome], end: Summary, words: str) -> None:
    """In a sentence that says which fault, and what."""
    found = problems(outcomes, end)
    assert len(found) == 1 and words in found[0]
    page = report(outcomes, end, "20.10", ["infrastructure"])
    assert found[0] in page and "Nothing was lost" not in page
