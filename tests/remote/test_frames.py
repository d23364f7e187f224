"""Messages are found again in noise, and nothing damaged is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass.errors import RemoteError
from isinglass.remote.frames import (
    ASKING_BYTES,
    HEAD,
    MARKER,
    Kind,
    Message,
    Unframer,
    framed,
)

GREETING = b"Last login: Sat Nov 28\r\nYou have mail.\r\n"


def told(*pieces: bytes) -> list[tuple[int, int, bytes]]:
    unframer = Unframer()
    found: list[Message] = [message for piece in pieces for message in unframer.feed(piece)]
    return [(message.kind, message.channel, message.body) for message in found]


def test_a_message_comes_through() -> None:
    assert told(framed(Kind.FRAME, 3, b"body")) == [(Kind.FRAME, 3, b"body")]


def test_what_a_login_shell_prints_is_skipped_and_kept_for_the_error() -> None:
    unframer = Unframer()
    found = list(unframer.feed(GREETING + framed(Kind.HELLO, 0, b"{}")))
    assert [message.kind for message in found] == [Kind.HELLO]
    assert unframer.noise == GREETING
    assert unframer.noise_bytes == len(GREETING)


@given(
    st.lists(st.tuples(st.integers(1, 8), st.integers(0, 65535), st.binary(max_size=200))),
    st.lists(st.binary(max_size=40), max_size=6),
    st.integers(1, 50),
)
def test_any_noise_and_any_cuts_change_nothing(
    messages: list[tuple[int, int, bytes]], noises: list[bytes], piece: int
) -> None:
    stream = b""
    for number, message in enumerate(messages):
        noise = noises[number % len(noises)] if noises else b""
        stream += noise.replace(MARKER[:1], b"?") + framed(*message)
    pieces = [stream[at : at + piece] for at in range(0, len(stream), piece)]
    assert told(*pieces) == messages


@given(st.binary(min_size=1, max_size=100), st.data())
def test_no_damaged_message_is_believed(body: bytes, data: st.DataObject) -> None:
    stream = bytearray(framed(Kind.FRAME, 1, body))
    place = data.draw(st.integers(0, len(stream) - 1))
    stream[place] ^= data.draw(st.integers(1, 255))
    sound = framed(Kind.NODES, 0, b"alder")
    assert [message for message in told(bytes(stream) + sound) if message[0] == Kind.FRAME] == []


def test_a_marker_inside_a_body_does_not_split_it() -> None:
    body = framed(Kind.GRANT, 9, b"inner")
    assert told(framed(Kind.FRAME, 1, body), framed(Kind.LIST, 1)) == [
        (Kind.FRAME, 1, body),
        (Kind.LIST, 1, b""),
    ]


def test_markers_without_messages_are_not_checked_without_end() -> None:
    body = bytes(1 << 20)
    nothing = framed(Kind.FRAME, 1, body)[: HEAD.size - 1] + b"\0"
    assert told(nothing + body, framed(Kind.LIST)) == [(Kind.LIST, 0, b"")]
    with pytest.raises(RemoteError, match="damaged messages without end"):
        told(nothing * 2000 + body)


def test_who_only_asks_says_little() -> None:
    unframer = Unframer(ASKING_BYTES)
    long = framed(Kind.ASK, 1, bytes(ASKING_BYTES + 1))
    assert [message.channel for message in unframer.feed(long + framed(Kind.ASK, 2))] == [2]


def test_a_length_that_cannot_be_is_noise() -> None:
    forged = HEAD.pack(MARKER, Kind.FRAME, 0, 2**32 - 1, 0)
    assert told(forged + framed(Kind.LIST)) == [(Kind.LIST, 0, b"")]
