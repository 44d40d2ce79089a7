"""The MLLP server over real sockets: acknowledgements, order, and peers that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from applications.clinical.hl7 import oru_r01
from applications.ingestion.gateway.framing import frame
from applications.ingestion.gateway.limits import Rate
from applications.ingestion.gateway.mllp import Mllp
from tests.unit.ingestion.gateway_fakes import Gateway, event, gateway, run

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Listening:
    """A listening server."""

    port: int
    server: Mllp
    door: Gateway

    async def connect(self) -> Connection:
        """A new connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)


@asynccontextmanager
async def listening(folder: Path, *, rate: float = 1e6, burst: int = 1_000_000, most: int = 50_000, connections: int = 8,
                    read_seconds: float = 5, idle_seconds: float = 5) -> AsyncIterator[Listening]:
    """An MLLP server on a free port of the loopback, and its gateway."""
    async with gateway(folder) as door:
        server = Mllp(door.intake, Rate(rate, burst), max_body_bytes=most, max_connections=connections,
                      read_seconds=read_seconds, idle_seconds=idle_seconds)
        port = await server.start(0, "127.0.0.1")
        try:
            yield Listening(port, server, door)
        finally:
            await server.stop(1)


async def answer(connection: Connection) -> tuple[str, str]:
    """The code and the control id of the next acknowledgement."""
    raw = await connection[0].readuntil(b"\x1c\r")
    assert raw[:1] == b"\x0b"
    fields = next(one for one in raw.decode().split("\r") if one.startswith("MSA")).split("|")
    return fields[1], fields[2]


def control_id(message: bytes) -> str:
    """MSH-10."""
    return message.split(b"|")[9].decode()


def test_many_messages_on_one_connection_are_acknowledged_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as mllp:
            connection = await mllp.connect()
            messages = [oru_r01([event(kind)]) for kind in ("patient-vitals", "lab-results") * 20]
            connection[1].write(b"".join(frame(message) for message in messages))
            for message in messages:
                assert await answer(connection) == ("AA", control_id(message))
            assert len(mllp.door.kafka.sent) == len(mllp.door.queue.sent) == 20

    run(scenario())


def test_each_kind_of_fault_has_its_code_and_the_connection_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as mllp:
            connection = await mllp.connect()
            good = oru_r01([event()])
            invalid = oru_r01([event("lab-results", payload={"code": "2823-3", "value": 4.2, "unit": "mg/dL"})])
            for message, code in ((good, "AA"), (good, "AA"), (invalid, "AE"), (b"garbage \xff\x00", "AR"), (b"", "AR"),
                                  (good.replace(b"ORU^R01", b"ADT^A01"), "AR")):
                connection[1].write(frame(message))
                assert (await answer(connection))[0] == code
            mllp.door.kafka.fault = "away"
            later = oru_r01([event()])
            connection[1].write(frame(later))
            assert await answer(connection) == ("AE", control_id(later))
            mllp.door.kafka.fault = None
            connection[1].write(frame(later))
            assert await answer(connection) == ("AA", control_id(later))
            assert len(mllp.door.kafka.sent) == 2 and len(mllp.door.kafka.letters) == 1

    run(scenario())


@pytest.mark.parametrize("stream", [
    b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\x0bMSH|^~\\&|A\x0bMSH", b"\x0bMSH|" + b"x" * 60_000])
def test_broken_framing_is_rejected_and_ends_the_connection_but_no_other(tmp_path: Path, stream: bytes) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as mllp:
            other, connection = await mllp.connect(), await mllp.connect()
            connection[1].write(stream)
            assert (await answer(connection))[0] == "AR"
            assert await connection[0].read() == b""
            message = oru_r01([event()])
            other[1].write(frame(message))
            assert await answer(other) == ("AA", control_id(message))

    run(scenario())


def test_a_message_that_trickles_in_is_cut_off_however_often_a_byte_comes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, read_seconds=0.2) as mllp:
            reader, writer = await mllp.connect()
            writer.write(b"\x0b")

            async def drip() -> None:
                while True:
                    writer.write(b"M")
                    await asyncio.sleep(0.02)

            dripping = asyncio.create_task(drip())
            assert (await answer((reader, writer)))[0] == "AR"
            dripping.cancel()

    run(scenario())


def test_a_silent_connection_is_closed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, idle_seconds=0.05) as mllp:
            reader, _ = await mllp.connect()
            assert await reader.read() == b""

    run(scenario())


def test_a_peer_that_leaves_in_the_middle_of_a_message_leaves_nothing_behind(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, connections=1) as mllp:
            for ending in ("close", "abort"):
                _, writer = await mllp.connect()
                writer.write(b"\x0bMSH|^~\\&|half a mess")
                await writer.drain()
                writer.close() if ending == "close" else writer.transport.abort()
                # With one connection allowed, the next one is answered only once this one is forgotten.
                for _ in range(100):
                    reader, writer = await mllp.connect()
                    writer.write(frame(b"hello"))
                    if (await reader.read(1)) == b"\x0b":
                        break
                    await asyncio.sleep(0.01)
                else:
                    pytest.fail("the connection was never forgotten")
                writer.close()
                while (await reader.read(1000)) != b"":
                    pass
            assert mllp.door.kafka.sent == [] and mllp.door.kafka.letters == []

    run(scenario())


def test_a_connection_above_the_limit_is_closed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, connections=1) as mllp:
            first = await mllp.connect()
            first[1].write(frame(b"hello"))
            await answer(first)
            second = await mllp.connect()
            assert await second[0].read() == b""

    run(scenario())


def test_a_peer_above_its_rate_waits_and_loses_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, rate=100, burst=1) as mllp:
            connection = await mllp.connect()
            messages = [oru_r01([event()]) for _ in range(5)]
            connection[1].write(b"".join(frame(message) for message in messages))
            assert [await answer(connection) for _ in messages] == [("AA", control_id(message)) for message in messages]

    run(scenario())


def test_a_stop_acknowledges_what_is_in_work_and_takes_no_more(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as mllp:
            idle, busy = await mllp.connect(), await mllp.connect()
            mllp.door.kafka.hold = asyncio.Event()
            first, second = oru_r01([event()]), oru_r01([event()])
            busy[1].write(frame(first) + frame(second))
            while not mllp.door.kafka.sent:
                await asyncio.sleep(0.001)
            stopping = asyncio.create_task(mllp.server.stop(5))
            assert await idle[0].read() == b""
            mllp.door.kafka.hold.set()
            assert await answer(busy) == ("AA", control_id(first))
            await stopping
            assert await busy[0].read() == b""
            # The second was not acknowledged: its sender sends it again.
            assert len(mllp.door.kafka.sent) == 1
            with pytest.raises(OSError):
                await mllp.connect()

    run(scenario())
