"""What the gateway needs is away, slow, or comes back: nothing is accepted that is not confirmed, and nothing twice."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from applications.ingestion.gateway.ledger import Ledger
from tests.unit.ingestion.gateway_fakes import NDJSON, FakeWay, event, gateway, lines, run


async def sent(way: FakeWay, count: int = 1) -> None:
    """Waits until so many events have reached a broker."""
    while len(way.sent) < count:
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("kind", ["patient-vitals", "lab-results"])
def test_503_while_the_broker_is_away_and_its_return_needs_no_restart(tmp_path: Path, kind: str) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            way = door.queue if kind == "lab-results" else door.kafka
            body = event(kind)
            way.fault = "the broker is away"
            answer = await door.post("/events", body)
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) >= 1
            assert "the broker is away" in answer.json()["message"]
            assert way.sent == []
            way.fault = None
            answer = await door.post("/events", body)
            # 202 and not 200: the first time nothing was accepted.
            assert answer.status_code == 202 and len(way.sent) == 1

    run(scenario())


def test_only_what_the_events_need_must_be_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            door.queue.fault = "away"
            assert (await door.post("/events", event())).status_code == 202
            door.queue.fault, door.kafka.fault = None, "away"
            assert (await door.post("/events", event("lab-results"))).status_code == 202

    run(scenario())


def test_a_batch_for_two_brokers_sends_nothing_while_one_is_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            door.queue.fault = "away"
            assert (await door.post("/events", lines(event(), event("lab-results")), NDJSON)).status_code == 503
            assert door.kafka.sent == [] and door.queue.sent == []

    run(scenario())


def test_a_partly_confirmed_batch_is_503_and_its_repeat_sends_only_the_rest(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            vitals, lab = event(), event("lab-results")
            door.queue.failure = "nack"
            assert (await door.post("/events", lines(vitals, lab), NDJSON)).status_code == 503
            door.queue.failure = None
            answer = await door.post("/events", lines(vitals, lab), NDJSON)
            assert answer.status_code == 202
            assert [one["status"] for one in answer.json()["accepted"]] == ["repeated", "accepted"]
            assert len(door.kafka.sent) == 1 and len(door.queue.sent) == 2

    run(scenario())


def test_an_event_taken_before_is_answered_while_its_broker_is_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            body = event()
            await door.post("/events", body)
            door.kafka.fault = "away"
            assert (await door.post("/events", body)).status_code == 200

    run(scenario())


def test_an_invalid_body_is_503_while_quarantine_cannot_confirm(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            wrong = event(site_id="here")
            door.kafka.fault = "away"
            assert (await door.post("/events", wrong)).status_code == 503
            door.kafka.fault, door.kafka.failure = None, "not enough replicas"
            assert (await door.post("/events", wrong)).status_code == 503
            assert door.kafka.letters == []
            door.kafka.failure = None
            assert (await door.post("/events", wrong)).status_code == 422
            assert len(door.kafka.letters) == 1

    run(scenario())


def test_the_same_id_posted_at_once_is_sent_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            door.kafka.hold = asyncio.Event()
            body = event()
            posts = [asyncio.create_task(door.post("/events", body)) for _ in range(20)]
            await sent(door.kafka)
            await asyncio.sleep(0.02)
            assert not any(post.done() for post in posts)
            door.kafka.hold.set()
            answers = await asyncio.gather(*posts)
            assert sorted(answer.status_code for answer in answers) == [200] * 19 + [202]
            assert len(door.kafka.sent) == 1

    run(scenario())


def test_batches_that_share_ids_in_any_order_do_not_wait_for_each_other_for_ever(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            events = [event() for _ in range(20)]
            answers = await asyncio.gather(*(door.post("/events", lines(*(events[i:] + events[:i])), NDJSON) for i in range(20)))
            assert sum(answer.status_code == 202 for answer in answers) >= 1
            assert all(answer.status_code in (200, 202) for answer in answers)
            assert len(door.kafka.sent) == 20

    run(scenario())


def test_whoever_waits_for_anothers_send_shares_its_failure(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            door.kafka.hold, door.kafka.failure = asyncio.Event(), "timed out"
            body = event()
            posts = [asyncio.create_task(door.post("/events", body)) for _ in range(2)]
            await sent(door.kafka)
            await asyncio.sleep(0.02)
            door.kafka.hold.set()
            assert [answer.status_code for answer in await asyncio.gather(*posts)] == [503, 503]

    run(scenario())


def test_a_confirmation_that_comes_late_is_written_down(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path, confirm_seconds=0.05) as door:
            door.kafka.hold = asyncio.Event()
            body = event()
            assert (await door.post("/events", body)).status_code == 503
            # Still on its way: a repeat does not send it a second time.
            assert (await door.post("/events", body)).status_code == 503
            door.kafka.hold.set()
            await asyncio.sleep(0.05)
            assert (await door.post("/events", body)).status_code == 200
            assert len(door.kafka.sent) == 1

    run(scenario())


def test_a_stop_waits_for_what_is_on_its_way(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path, confirm_seconds=0.01) as door:
            door.kafka.hold = asyncio.Event()
            body = event()
            assert (await door.post("/events", body)).status_code == 503
            assert await door.intake.finish(0.01) == 1
            door.kafka.hold.set()
            assert await door.intake.finish(5) == 0
            assert (await door.post("/events", body)).status_code == 200

    run(scenario())


def break_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every write of the ledger fail as a full disk does."""
    def full(self: Ledger, statement: str, rows: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Ledger, "_in_thread", full)


def test_a_ledger_that_cannot_be_written_is_503_and_then_nothing_more_is_sent(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            with monkeypatch.context() as patched:
                break_ledger(patched)
                first, second = event(), event()
                assert (await door.post("/events", first)).status_code == 503
                answer = await door.post("/events", second)
                assert answer.status_code == 503 and "disk is full" in answer.json()["message"]
                assert [str(one.event_id) for one in door.kafka.sent] == [first["event_id"]]
                assert (await door.client.get("/health")).status_code == 503
            await door.ledger.probe()
            assert (await door.client.get("/health")).status_code == 200
            assert (await door.post("/events", second)).status_code == 202

    run(scenario())


@pytest.mark.parametrize("need", ["kafka", "rabbitmq"])
def test_health_tells_what_is_away_and_life_goes_on(tmp_path: Path, need: str) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            answer = await door.client.get("/health")
            assert answer.status_code == 200
            assert answer.json() == {"status": "healthy", "checks": {"kafka": "ok", "rabbitmq": "ok", "ledger": "ok"}}
            (door.kafka if need == "kafka" else door.queue).fault = "gone"
            answer = await door.client.get("/health")
            assert answer.status_code == 503 and answer.json()["checks"][need] == "gone"
            assert (await door.client.get("/live")).status_code == 200

    run(scenario())
