"""Rules: the generator loses no event and sends none twice by its own doing, and tells what was taken and what was refused."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from applications.clinical.models import INGRESS
from applications.clinical.simulation import read_journal
from applications.ingestion.generator import Generation, GeneratorSettings, gateway
from applications.ingestion.generator.forms import Body, Form
from applications.ingestion.generator.gateway import TAKEN, Gateway
from applications.ingestion.generator.mllp import MllpClient, MllpError
from tests.unit.ingestion.gateway_double import KEY, GatewayDouble, MllpDouble

FAULTS = {"fault_duplicate": 0.05, "fault_late": 0.05, "fault_malformed": 0.05, "fault_wrong_unit": 0.05}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(gateway, "LONGEST_PAUSE", 0.01)


@pytest.fixture
def double() -> GatewayDouble:
    return GatewayDouble()


@pytest.fixture
def mllp(double: GatewayDouble) -> Iterator[MllpDouble]:
    server = MllpDouble(lambda message: "AA" if double.take("application/hl7-v2", message) in (200, 202) else "AE")
    yield server
    server.stop()


@pytest.fixture
def make(double: GatewayDouble, mllp: MllpDouble, tmp_path: Path) -> Callable[..., Generation]:
    def made(stopped: Callable[[], bool] = lambda: False, **changes: Any) -> Generation:
        given = {"gateway_url": "http://gateway:8000", "api_key": KEY, "mllp_host": "127.0.0.1", "mllp_port": mllp.port, "rate": 0,
                 "patients": 20, "total_events": 250, "state_path": tmp_path / "state.json", "journal_path": tmp_path / "journal",
                 **changes}
        return Generation(GeneratorSettings(**given), stopped, double)
    return made


def test_everything_arrives_once_in_every_form_and_type(make: Callable[..., Generation], double: GatewayDouble) -> None:
    summary = make().run()
    assert summary.accepted == summary.sent == len(double.taken) == 250
    assert summary.unanswered == 0
    assert not double.repeated
    assert {media for media, _ in double.bodies} == {"application/fhir+json", "application/hl7-v2", "application/json",
                                                     "application/x-ndjson"}
    assert summary.answers["AA"] > 0
    assert {event["event_type"] for event in double.taken.values()} == set(INGRESS)
    assert {event["patient_id"][:3] for event in double.taken.values()} == {"PTG"}
    assert {event["site_id"][:5] for event in double.taken.values()} == {"SITE1"}


def test_the_journal_says_what_was_taken_and_what_was_refused(
        make: Callable[..., Generation], double: GatewayDouble, tmp_path: Path) -> None:
    summary = make(total_events=600, **FAULTS).run()
    entries = read_journal(tmp_path / "journal")
    assert len(entries) == summary.sent == 600 + summary.injected["duplicate"]
    assert {entry.event_id for entry in entries if entry.status in TAKEN} == set(double.taken)
    refused = [entry for entry in entries if entry.status not in TAKEN]
    assert Counter(entry.kind for entry in refused) == {kind: summary.injected[kind] for kind in ("malformed", "wrong-unit")}
    assert {entry.status for entry in refused} == {"400", "422"}
    assert double.repeated.total() == summary.injected["duplicate"] > 0


@pytest.mark.parametrize("trouble", [
    lambda: httpx.Response(503, headers={"Retry-After": "0"}), lambda: httpx.Response(429), lambda: httpx.Response(500),
    lambda: httpx.Response(401), lambda: httpx.ConnectError("refused"), lambda: httpx.ReadTimeout("slow"),
    lambda: httpx.RemoteProtocolError("closed")])
def test_what_is_put_off_is_sent_again_with_the_same_ids(
        make: Callable[..., Generation], double: GatewayDouble, trouble: Callable[[], httpx.Response | Exception]) -> None:
    double.trouble = lambda number: trouble() if number % 3 else None
    summary = make(total_events=100).run()
    assert summary.accepted == len(double.taken) == 100
    assert double.requests > 100 / 5
    assert not double.repeated


def test_an_answer_that_is_lost_makes_a_repeat_and_no_second_event(make: Callable[..., Generation], double: GatewayDouble) -> None:
    real = double.handle_async_request

    async def losing(request: httpx.Request) -> httpx.Response:
        answer = await real(request)
        if double.requests % 4 == 0:
            raise httpx.ReadError("connection reset")
        return answer

    double.handle_async_request = losing  # type: ignore[method-assign]
    summary = make(total_events=200).run()
    assert summary.accepted == len(double.taken) == 200
    assert double.repeated
    assert summary.answers["200"] > 0


def test_what_mllp_does_not_acknowledge_is_sent_by_http(make: Callable[..., Generation], double: GatewayDouble) -> None:
    calls = iter(range(10**6))
    server = MllpDouble(lambda _: {0: "AE", 1: None}.get(next(calls) % 3, "AA"))
    summary = make(mllp_port=server.port, share_mllp=1, share_fhir=0, share_hl7=0, share_json=0, share_ndjson=0).run()
    server.stop()
    assert summary.accepted == 250
    assert summary.answers["AA"] > 0
    # By HTTP: what MLLP refused or dropped, and what HL7 has no place for.
    assert summary.answers["202"] == len(double.taken) == 250 - summary.answers["AA"]
    assert "application/hl7-v2" in {media for media, _ in double.bodies}


def test_the_time_that_retry_after_asks_for_is_waited(double: GatewayDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(gateway.asyncio, "sleep", sleep)
    answers = {1: httpx.Response(503, headers={"Retry-After": "7"}), 2: httpx.Response(429, headers={"Retry-After": "9000"}),
               3: httpx.Response(503, headers={"Retry-After": "soon"})}
    double.trouble = answers.get

    async def deliver() -> str:
        client = Gateway("http://gateway", KEY, MllpClient("127.0.0.1", 1), 1, double)
        return await client.deliver(Body(Form.JSON, b"{", []))

    assert asyncio.run(deliver()) == "400"
    assert 7 <= waits[0] <= 7 * 1.2
    assert 60 <= waits[1] <= 60 * 1.2
    assert waits[2] < 1


def test_a_restart_goes_on_with_new_ids_to_the_same_total(make: Callable[..., Generation], double: GatewayDouble) -> None:
    first = make(lambda: len(double.taken) >= 60, total_events=100_000, rate=1000).run()
    assert 60 <= first.accepted < 100_000
    second = make(total_events=first.accepted + 100).run()
    assert second.accepted == 100
    assert len(double.taken) == first.accepted + 100
    assert make(total_events=first.accepted + 100).run().sent == 0


def test_asked_to_stop_while_the_gateway_is_away_it_ends_and_says_what_has_no_answer(
        make: Callable[..., Generation], double: GatewayDouble, tmp_path: Path) -> None:
    double.trouble = lambda _: httpx.ConnectError("refused")
    summary = make(lambda: double.requests > 20, share_mllp=0, stop_seconds=0.2).run()
    assert summary.sent == summary.unanswered > 0
    assert summary.answers == {}
    assert read_journal(tmp_path / "journal") == []


def test_while_the_gateway_is_away_only_so_much_is_held(make: Callable[..., Generation], double: GatewayDouble) -> None:
    double.trouble = lambda _: httpx.Response(503)
    summary = make(lambda: double.requests > 50, share_mllp=0, stop_seconds=0.1, connections=2, batch_events=3).run()
    assert 0 < summary.unanswered <= 3 * (2 + 2 * 2)


def test_a_key_that_is_refused_is_said(make: Callable[..., Generation], double: GatewayDouble) -> None:
    double.trouble = lambda _: httpx.Response(403)
    generation = make(lambda: double.requests > 5, stop_seconds=0.1)
    assert generation.checks["key"]() is None
    generation.run()
    assert "403" in str(generation.checks["key"]())
    assert KEY not in str(generation.checks["key"]())


def test_a_gateway_that_is_not_there_is_said(make: Callable[..., Generation]) -> None:
    words = make(gateway_url="http://127.0.0.1:9").checks["gateway"]()
    assert "http://127.0.0.1:9" in str(words)


def test_mllp_connects_again_after_a_failure_and_refuses_an_answer_that_is_none() -> None:
    codes = iter(["AA", None, "AA"])
    server = MllpDouble(lambda _: next(codes))
    message = b"MSH|^~\\&|A|B|C|D|20260301||ORU^R01|1|P|2.5\r"

    async def talk() -> list[str]:
        client = MllpClient("127.0.0.1", server.port)
        said = [await client.send(message)]
        with pytest.raises(MllpError, match=str(server.port)):
            await client.send(message)
        said.append(await client.send(message))
        client.close()
        return said

    assert asyncio.run(talk()) == ["AA", "AA"]
    server.stop()


@pytest.mark.parametrize("wrong", [
    {"gateway_url": "gateway:8000"}, {"rate": -1}, {"batch_events": 0}, {"share_fhir": -1}, {"mllp_host": ""},
    {"share_fhir": 0, "share_hl7": 0, "share_mllp": 0, "share_json": 0, "share_ndjson": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GeneratorSettings(**{"gateway_url": "http://g", "api_key": KEY, "mllp_host": "g", **wrong})
