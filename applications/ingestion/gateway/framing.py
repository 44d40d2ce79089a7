"""MLLP framing: 0x0B, the message, 0x1C 0x0D."""

from __future__ import annotations

START, END, RETURN = b"\x0b", b"\x1c", b"\r"
_BETWEEN = b"\r\n"


class FramingError(Exception):
    """Bytes that are no MLLP. Where the next message begins cannot be told any more: the connection must end."""


class Frames:
    """Takes bytes as they arrive and gives messages; holds at most `most` bytes of an unfinished one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = bytearray()
        self._searched = 0

    @property
    def begun(self) -> bytes:
        """What has arrived of a message that is not complete, without its start byte; empty between messages."""
        return bytes(self._buffer[1:])

    @property
    def inside(self) -> bool:
        """Whether a message has begun."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> None:
        """Adds bytes."""
        self._buffer += data

    def next(self) -> bytes | None:
        """The next complete message, or None. Raises FramingError."""
        # Some senders end lines between messages; nothing else may stand there.
        stripped = self._buffer.lstrip(_BETWEEN)
        if len(stripped) != len(self._buffer):
            self._buffer = stripped
        if not self._buffer:
            return None
        if self._buffer[:1] != START:
            raise FramingError("a message begins with the byte 0x0B")
        end = self._buffer.find(END + RETURN, max(self._searched, 1))
        begins_again = self._buffer.find(START, max(self._searched, 1), end if end >= 0 else len(self._buffer))
        if begins_again >= 0:
            raise FramingError("another message begins before the end of this one (0x1C 0x0D)")
        # Without an end, the last byte may be the first half of one.
        if (len(self._buffer) - 1 if end < 0 else end) - 1 > self._most:
            raise FramingError(f"a message may have {self._most} bytes")
        if end < 0:
            self._searched = len(self._buffer) - 1
            return None
        message = bytes(self._buffer[1:end])
        del self._buffer[:end + 2]
        self._searched = 0
        return message


def frame(message: bytes) -> bytes:
    """A message in its frame. Frame bytes inside it, which an acknowledgement may quote from a broken message, are dropped."""
    return START + message.replace(START, b"").replace(END, b"") + END + RETURN
