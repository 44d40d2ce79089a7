"""MLLP framing: messages come out whole however the network cuts them, and anything else is an error, never a crash."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applications.ingestion.gateway.framing import Frames, FramingError, frame

MOST = 200
messages = st.binary(max_size=MOST).map(lambda raw: raw.replace(b"\x0b", b"").replace(b"\x1c", b""))


def fed(frames: Frames, *chunks: bytes) -> list[bytes]:
    """All messages that come out of these chunks."""
    found = []
    for chunk in chunks:
        frames.feed(chunk)
        while (message := frames.next()) is not None:
            found.append(message)
    return found


@given(st.lists(messages, max_size=5), st.lists(st.integers(0, 1500), max_size=20))
def test_messages_come_out_as_they_went_in_wherever_the_stream_is_cut(sent: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(message) for message in sent)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    frames = Frames(MOST)
    assert fed(frames, *(stream[a:b] for a, b in pairwise(places))) == sent
    assert not frames.inside


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_any_bytes_give_messages_or_a_framing_error_and_what_is_held_is_bounded(chunks: list[bytes]) -> None:
    frames = Frames(MOST)
    try:
        for message in fed(frames, *chunks):
            assert len(message) <= MOST
    except FramingError:
        return
    assert len(frames.begun) <= MOST + 1


@pytest.mark.parametrize("stream", [
    b"MSH|no start byte", b"\x1c\r", b"GET / HTTP/1.1\r\n", b"\x0bone\x0btwo\x1c\r", b"\x0bone" + b"\x0b", b"\r\n\x00"])
def test_bytes_outside_a_frame_and_a_start_inside_one_are_errors(stream: bytes) -> None:
    with pytest.raises(FramingError):
        fed(Frames(MOST), stream)


def test_line_ends_between_messages_are_passed_over() -> None:
    assert fed(Frames(MOST), b"\r\n" + frame(b"one") + b"\n\r\r" + frame(b"two") + b"\r\n") == [b"one", b"two"]


def test_an_end_byte_alone_does_not_end_a_message() -> None:
    assert fed(Frames(MOST), b"\x0bone\x1ctwo\x1c\r") == [b"one\x1ctwo"]


@pytest.mark.parametrize("ended", [True, False])
def test_a_message_may_have_exactly_the_limit(ended: bool) -> None:
    end = b"\x1c\r" if ended else b"\x1c"
    assert fed(Frames(MOST), b"\x0b" + b"x" * MOST + end) == ([b"x" * MOST] if ended else [])
    with pytest.raises(FramingError, match="200 bytes"):
        fed(Frames(MOST), b"\x0b" + b"x" * (MOST + 1) + end)


def test_frame_bytes_that_an_acknowledgement_quotes_do_not_end_it() -> None:
    assert fed(Frames(MOST), frame(b"MSA|AE|\x1c\rERR\x0b")) == [b"MSA|AE|\rERR"]
