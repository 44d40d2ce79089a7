"""Who may come in, with what and how much: keys, rates, media types, sizes and slowness."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.ingestion.gateway_fakes import JSON, KEY, event, gateway, run


def test_401_without_a_key_and_403_with_a_wrong_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            for headers, status in (({}, 401), ({"Authorization": "Basic abc"}, 401), ({"X-API-Key": ""}, 401),
                                    ({"X-API-Key": KEY + "x"}, 403), ({"Authorization": "Bearer wrong"}, 403),
                                    ({"X-API-Key": "wrong", "Authorization": f"Bearer {KEY}"}, 403),
                                    ({"Authorization": f"Bearer {KEY}"}, 202), ({"X-API-Key": KEY}, 202)):
                answer = await door.post("/events", event(), {"Content-Type": "application/json", **headers})
                assert answer.status_code == status, headers
                assert ("WWW-Authenticate" in answer.headers) == (status == 401)

    run(scenario())


@pytest.mark.parametrize("announced", [True, False])
def test_413_for_a_body_above_the_limit_which_is_not_read_to_its_end(tmp_path: Path, announced: bool) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path, max_body_bytes=5000) as door:
            read = 0

            async def endless() -> AsyncIterator[bytes]:
                nonlocal read
                while read < 1_000_000:
                    read += 1000
                    yield b"x" * 1000

            headers = {**JSON, **({"Content-Length": "1000000"} if announced else {})}
            answer = await door.client.post("/events", content=endless(), headers=headers)
            assert answer.status_code == 413 and "5000" in answer.json()["message"]
            assert answer.headers["Connection"] == "close"
            # One part more than the limit allows is read to see that it is passed.
            assert read <= (1000 if announced else 6000)

    run(scenario())


def test_a_body_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path, max_body_bytes=5000) as door:
            body = json.dumps(event()).encode()
            assert (await door.post("/events", body + b" " * (5000 - len(body)))).status_code == 202
            assert (await door.post("/events", body + b" " * (5001 - len(body)))).status_code == 413

    run(scenario())


def test_408_for_a_body_that_does_not_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path, read_seconds=0.05) as door:
            async def stalled() -> AsyncIterator[bytes]:
                yield b"{"
                await asyncio.sleep(3600)

            answer = await door.client.post("/events", content=stalled(), headers=JSON)
            assert answer.status_code == 408

    run(scenario())


@pytest.mark.parametrize(("path", "headers"), [
    ("/events", {"Content-Type": "text/plain"}), ("/events", {}), ("/events", {"Content-Type": "application/fhir+json"}),
    ("/fhir", {"Content-Type": "application/json"}), ("/hl7", {"Content-Type": "text/plain"}),
    ("/events", {"Content-Type": "application/json; charset=latin-1"}),
    ("/events", {"Content-Type": "application/json", "Content-Encoding": "gzip"})])
def test_415_for_other_formats_and_it_names_those_that_are_taken(tmp_path: Path, path: str, headers: dict[str, str]) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            answer = await door.client.post(path, content=json.dumps(event()), headers={"X-API-Key": KEY, **headers})
            assert answer.status_code == 415
            assert answer.headers["Accept"].startswith("application/")

    run(scenario())


def test_media_types_are_read_as_the_standard_says(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path) as door:
            for media in ("Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'):
                assert (await door.post("/events", event(), {"X-API-Key": KEY, "Content-Type": media})).status_code == 202

    run(scenario())


def test_429_says_when_to_come_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path, rate=0.5, burst=2) as door:
            assert [(await door.post("/events", event())).status_code for _ in range(3)] == [202, 202, 429]
            answer = await door.post("/events", event())
            assert int(answer.headers["Retry-After"]) == 2

    run(scenario())


def test_503_when_the_bodies_in_work_hold_all_the_memory(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with gateway(tmp_path, max_held_bytes=6000) as door:
            door.kafka.hold = asyncio.Event()
            first = asyncio.create_task(door.post("/events", event()))
            while not door.kafka.sent:
                await asyncio.sleep(0.001)
            answer = await door.post("/events", event())
            assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
            door.kafka.hold.set()
            assert (await first).status_code == 202
            assert (await door.post("/events", event())).status_code == 202

    run(scenario())
