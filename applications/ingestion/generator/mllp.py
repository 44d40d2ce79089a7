"""A client of HL7 over MLLP: one connection, one message after the other, each with its acknowledgement."""

from __future__ import annotations

import asyncio

START, END = b"\x0b", b"\x1c\r"
ANSWER_SECONDS = 30.0
MOST_BYTES = 64 * 1024


class MllpError(Exception):
    """A message without an acknowledgement: it may have been taken or not."""


class MllpClient:
    """Connects when it is needed, and again after a failure."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._turn = asyncio.Lock()
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, message: bytes) -> str:
        """Sends a message; returns the code of its acknowledgement (AA, AE or AR). Raises MllpError."""
        async with self._turn:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    if self._connection is None:
                        self._connection = await asyncio.open_connection(self._host, self._port, limit=MOST_BYTES)
                    reader, writer = self._connection
                    writer.write(START + message + END)
                    await writer.drain()
                    return _code(await reader.readuntil(END))
            except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError, MllpError) as error:
                self.close()
                raise MllpError(f"no acknowledgement from {self._host}:{self._port}: {type(error).__name__}") from error
            except asyncio.CancelledError:
                # Its acknowledgement would be taken for the next message's.
                self.close()
                raise

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None


def _code(answer: bytes) -> str:
    """MSA-1 of an acknowledgement. Raises MllpError for anything else."""
    for segment in answer.lstrip(START).split(b"\r"):
        if segment[:3] == b"MSA":
            return segment.split(segment[3:4])[1].decode("ascii", "replace")
    raise MllpError("the answer has no MSA segment")
