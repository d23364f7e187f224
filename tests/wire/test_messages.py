"""The codec between client and daemon: round trips, every reason of refusal, arbitrary bytes."""

from __future__ import annotations

import random
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass import errors
from isinglass.wire import messages
from isinglass.wire.messages import BadFrame, FrameBuffer

VALUES = st.binary(max_size=40)
PUTS = st.tuples(
    st.integers(0, 2**32), st.text(max_size=9), st.text(max_size=9), st.none() | VALUES
).map(lambda parts: [parts[0], messages.PUT, parts[1], parts[2], parts[3], 1, 0])


def body(message: Any) -> bytes:
    """Return a frame's body without the checks of `encode`."""
    return bytes(msgpack.packb(message))


@settings(max_examples=200)
@given(st.lists(PUTS, max_size=6), st.randoms(use_true_random=False))
def test_requests_come_back_however_the_stream_is_cut(
    requests: list[list[Any]], generator: random.Random
) -> None:
    stream = b"".join(map(messages.encode, requests))
    buffer, found = FrameBuffer(), []
    while stream:
        size = generator.randrange(1, len(stream) + 1)
        found += [messages.decode_request(part) for part in buffer.feed(stream[:size])]
        stream = stream[size:]
    assert found == requests


@pytest.mark.parametrize(
    ("reason", "raw"),
    [
        ("malformed", b"\xc1"),
        ("malformed", b""),
        ("malformed", b"\x93\x01"),
        ("malformed", body([1, 1]) + b"\x00"),
        ("malformed", b"\xa4\xff\xfe\xfd\xfc"),
        ("malformed", b"\x81\x90\x01"),
        ("malformed", b"\x91" * 3000),
        ("not a request", body({"id": 1})),
        ("not a request", body([1])),
        ("not a request", body(["1", 1])),
        ("unknown operation", body([1, 99])),
        ("unknown operation", body([1, [2]])),
        ("unknown operation", body([1, True])),
        ("bad argument", body([1, messages.PUT, "table", "key", b"", 1])),
        ("bad argument", body([1, messages.PUT, "table", "key", {}, 1, 0])),
        ("bad argument", body([1, messages.PUT, "table", "key", b"", True, 0])),
        ("bad argument", body([1, messages.PUT, b"table", "key", b"", 1, 0])),
        ("bad argument", body([1, messages.DROP_TABLE, None])),
    ],
)
def test_every_kind_of_bad_frame_has_its_reason(reason: str, raw: bytes) -> None:
    with pytest.raises(BadFrame) as caught:
        messages.decode_request(raw)
    assert caught.value.reason == reason
    assert reason in messages.REASONS


def test_a_length_over_the_limit_is_refused_before_its_bytes_arrive() -> None:
    with pytest.raises(BadFrame) as caught:
        list(FrameBuffer().feed(messages.LENGTH.pack(messages.FRAME_LIMIT_BYTES + 1)))
    assert caught.value.reason == "too long"


def test_arbitrary_bytes_are_a_request_or_a_bad_frame() -> None:
    generator = random.Random(2)
    valid = body([7, messages.PUT, "orders", "2026/1", b"\x81\xa1a\x01", 1, 0])
    for _ in range(20_000):
        raw = bytearray(valid if generator.random() < 0.7 else generator.randbytes(40))
        for _ in range(generator.randrange(4)):
            raw[generator.randrange(len(raw))] = generator.randrange(256)
        raw = raw[: generator.randrange(len(raw) + 1)]
        try:
            request = messages.decode_request(bytes(raw))
        except BadFrame as error:
            assert error.reason in messages.REASONS
        else:
            name, kinds = messages.OPERATIONS[request[1]]
            assert name
            assert len(request) == len(kinds) + 2


@pytest.mark.parametrize("value", [object(), {1, 2}, 2**64, {"a": object()}, "\ud800"])
def test_what_cannot_be_stored_is_said_before_it_is_sent(value: object) -> None:
    with pytest.raises(errors.BadRecord):
        messages.encode([1, messages.PUT, "table", "key", {"field": value}, 1, 0])
    assert messages.encode([1, messages.FLUSH, 0, 0]) == b"\x05\x00\x00\x00\x94\x01\x03\x00\x00"


def test_a_value_that_holds_itself_is_no_record() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(errors.BadRecord):
        messages.encode([1, messages.PUT, "table", "key", {"field": endless}, 1, 0])


def test_a_request_over_the_limit_is_not_sent() -> None:
    with pytest.raises(errors.RecordTooLarge):
        messages.encode([1, messages.PUT, "t", "k", {"a": b"x" * messages.FRAME_LIMIT_BYTES}, 1, 0])


@pytest.mark.parametrize("kind", [errors.TableMissing, errors.DiskFull, errors.RequestRefused])
def test_a_refusal_raises_the_same_error_with_the_same_sentence_at_the_client(
    kind: type[errors.IsinglassError],
) -> None:
    answer = messages.decode_answer(body(messages.refusal(3, kind("do this"))))
    error = messages.refused_error(answer)
    assert type(error) is kind
    assert str(error) == "do this"


def test_an_error_that_is_not_ours_becomes_a_refusal_and_no_other_class() -> None:
    answer = messages.refusal(3, ValueError("inside"))
    assert type(messages.refused_error(answer)) is errors.RequestRefused
    for name in ("annotations", "Exception", "os", "__name__"):
        made = messages.refused_error([3, messages.REFUSED, name, "sentence"])
        assert type(made) is errors.RequestRefused


@pytest.mark.parametrize("raw", [b"\xc1", body([1, 0]), body([1, 7, 2]), body({}), body([1, 1, 2])])
def test_an_answer_that_is_none_is_a_bad_frame(raw: bytes) -> None:
    with pytest.raises(BadFrame):
        messages.decode_answer(raw)
