"""Rule: the ledger holds what the gateway said that it has taken, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx

from applications.clinical.models import LabEvent
from applications.clinical.validation import check
from applications.ingestion.labs.results import alert_of, canonical_of, flag_of
from tests.chaos.sending import CRITICAL_EACH, Ledger, Sender, accepted, body_of

Answer = httpx.Response | httpx.TransportError


def deliver(*answers: Answer) -> tuple[list[bool], Ledger, list[list[str]]]:
    """What came of sending one body so often, the ledger afterwards, and the ids that arrived each time."""
    left: Iterator[Answer] = iter(answers)
    arrived: list[list[str]] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        arrived.append([json.loads(line)["event_id"] for line in request.content.splitlines()])
        answer = next(left)
        if isinstance(answer, httpx.TransportError):
            raise answer
        return answer

    ledger, events = Ledger(), body_of(1)
    sender = Sender(httpx.Client(base_url="http://gateway", transport=httpx.MockTransport(gateway)), ledger, lambda: 5.0)
    return [sender.deliver(events) for _ in answers], ledger, arrived


def test_nothing_is_promised_before_the_gateway_says_so() -> None:
    """A 503 and a lost connection promise nothing; the same ids come again until they are taken."""
    done, ledger, arrived = deliver(httpx.Response(503), httpx.ReadError("gone"), httpx.Response(202))
    assert done == [False, False, True]
    assert arrived[0] == arrived[1] == arrived[2]
    assert ledger.promised() == set(arrived[0])
    assert ledger.answers == {"503": 1, "ReadError": 1, "202": 1}
    assert ledger.surprises == []


def test_a_refusal_leaves_the_ledger_empty() -> None:
    """Of one answer at a time, so that a later one cannot hide it."""
    for answer in (httpx.Response(503), httpx.ConnectError("away"), httpx.Response(500, text="a fault of ours")):
        assert deliver(answer)[1].promised() == set()


def test_an_answer_that_may_not_be_is_noted() -> None:
    """A valid event is taken or put off; a fault of the gateway's own is a finding."""
    assert deliver(httpx.Response(500, text="oh"))[1].surprises == ["500: oh"]
    assert deliver(httpx.Response(200))[1].surprises == []


def test_promises_have_a_time() -> None:
    """What is taken after a moment is not missed at that moment."""
    ledger = Ledger()
    first, second = (accepted(body_of(1)[0], taken) for taken in (1.0, 2.0))
    ledger.accept([first, second])
    assert ledger.promised(until=1.5) == {first.event_id}
    assert ledger.between(1.5, 3) == 1


def test_a_critical_result_promises_the_alert_that_the_processor_makes() -> None:
    """And no other event promises one."""
    raw = body_of(CRITICAL_EACH)[1]
    line = accepted(raw, 1.0)
    event = check(json.dumps(raw).encode(), line.made, "lab-results")
    assert isinstance(event, LabEvent)
    result = canonical_of(event)
    alert = alert_of(event, result, flag_of(result, None))
    assert alert is not None and line.alert == str(alert.event_id)
    ledger = Ledger()
    ledger.accept([line])
    assert ledger.promised() == {line.event_id, line.alert}
    assert [accepted(each, 1.0).alert for each in body_of(1)] == [None, None]
