"""HL7 over MLLP: each message is answered with its acknowledgement, in order, on the connection that it came by.

MLLP knows no keys: the port is for the platform's network and what is published on purpose. A peer that sends faster than
its rate is read more slowly. A connection on which framing went wrong ends after an acknowledgement that says so.
"""

from __future__ import annotations

import asyncio
import contextlib

from applications.clinical import hl7
from applications.ingestion.gateway import answers, metrics
from applications.ingestion.gateway.answers import Refused
from applications.ingestion.gateway.framing import Frames, FramingError, frame
from applications.ingestion.gateway.intake import Intake
from applications.ingestion.gateway.limits import Rate
from applications.ingestion.gateway.reading import Format
from applications.runtime.logs import log
from applications.runtime.web import fault

READ_BYTES = 64 * 1024
CLOSE_SECONDS = 2


class Mllp:
    """An MLLP server. `read_seconds` bounds the arrival of one message, `idle_seconds` the silence between two."""

    def __init__(self, intake: Intake, rate: Rate, *, max_body_bytes: int, max_connections: int, read_seconds: float,
                 idle_seconds: float) -> None:
        self._intake, self._rate = intake, rate
        self._max_body_bytes, self._max_connections = max_body_bytes, max_connections
        self._read_seconds, self._idle_seconds = read_seconds, idle_seconds
        self._connections: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._server: asyncio.Server | None = None

    async def start(self, port: int, host: str | None = None) -> int:
        """Begins to listen; returns the port."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=READ_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self, seconds: float) -> None:
        """Takes no more connections and messages; acknowledges those in work, for at most so long."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for task in self._waiting:
            task.cancel()
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=seconds)
            for task in late:
                task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        metrics.MLLP_CONNECTIONS.set(len(self._connections))
        try:
            if len(self._connections) > self._max_connections or self._stopping:
                log.warning("mllp-refused", connections=len(self._connections))
            else:
                await self._converse(task, reader, writer)
        except (ConnectionError, TimeoutError) as error:
            log.info("mllp-ended", error=type(error).__name__)
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        except Exception as error:  # one peer's trouble must not be another's
            fault("mllp-failed", error)
        finally:
            self._connections.discard(task)
            metrics.MLLP_CONNECTIONS.set(len(self._connections))
            writer.close()
            # A peer that does not read its last acknowledgement cannot hold the connection for ever.
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), CLOSE_SECONDS)
            writer.transport.abort()

    async def _converse(self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str(writer.get_extra_info("peername", ("",))[0])
        frames = Frames(self._max_body_bytes)
        while not self._stopping:
            try:
                message = await self._next(task, reader, frames)
            except FramingError as error:
                log.info("mllp-framing", error=str(error))
                await self._answer(writer, "AR", hl7.acknowledge(frames.begun, "AR", f"not MLLP: {error}"))
                return
            if message is None:
                return
            while wait := self._rate.take(f"mllp {peer}"):
                await asyncio.sleep(wait)
            await self._answer(writer, *await self._take(message))

    async def _next(self, task: asyncio.Task[None], reader: asyncio.StreamReader, frames: Frames) -> bytes | None:
        """The next message; None when the peer is gone or silent for too long. Raises FramingError."""
        if (message := frames.next()) is not None:
            return message
        deadline: asyncio.Timeout | None = None
        self._waiting.add(task)
        try:
            async with asyncio.timeout(self._read_seconds if frames.inside else self._idle_seconds) as deadline:
                begun = frames.inside
                while data := await reader.read(READ_BYTES):
                    frames.feed(data)
                    if (message := frames.next()) is not None:
                        return message
                    if frames.inside and not begun:
                        # One deadline from its first byte to its last: drops that trickle in cannot hold a connection.
                        deadline.reschedule(asyncio.get_running_loop().time() + self._read_seconds)
                        begun = True
        except TimeoutError:
            if frames.inside:
                raise FramingError(f"the message did not end within {self._read_seconds:g} seconds") from None
            return None
        finally:
            self._waiting.discard(task)
        if frames.inside:
            log.info("mllp-cut-off")
        return None

    async def _take(self, message: bytes) -> tuple[str, bytes]:
        """Has a message taken; returns the code of its acknowledgement, and that."""
        try:
            await answers.take(self._intake, Format.HL7, message)
        except Refused as refusal:
            log.info("refused", path="mllp", status=refusal.status, error=refusal.error,
                     reasons=sorted({reason.code for reason in refusal.reasons}))
            return refusal.code or "AE", refusal.acknowledge(message) or b""
        return "AA", hl7.acknowledge(message, "AA", "")

    async def _answer(self, writer: asyncio.StreamWriter, code: str, acknowledgement: bytes) -> None:
        metrics.MLLP_MESSAGES.labels(code).inc()
        writer.write(frame(acknowledgement))
        async with asyncio.timeout(self._read_seconds):
            await writer.drain()
