"""The daemon's socket under bad input: dropped and counted by reason, and everybody else served."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

import isinglass
from daemon_process import DaemonProcess, daemon
from isinglass.store import records
from isinglass.wire import messages
from isinglass.wire.transport import ClientSocket
from panel_figures import whole

HELLO = [1, messages.HELLO, messages.PROTOCOL_NAME, messages.PROTOCOL_VERSION, 0]
VALUE = records.pack_value({"n": 1})


@pytest.fixture(scope="module")
def oak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """One daemon for all tests of this file: it must outlive every one of them."""
    folder = tmp_path_factory.mktemp("port")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISINGLASS_RUNTIME_DIR", str(folder))
        patch.setenv("ISINGLASS_DATA_DIR", str(folder / "data"))
        with daemon("oak") as process:
            with isinglass.connect("oak") as database:
                database.create_table("t")
            yield process


@pytest.fixture(autouse=True)
def home(oak: DaemonProcess, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point this test to the directories of the module's daemon, instead of its own."""
    snapshot_path = os.path.dirname(os.path.dirname(oak.path))
    monkeypatch.setenv("ISINGLASS_RUNTIME_DIR", snapshot_path)
    return snapshot_path


class Caller:
    """A client that says whatever it likes."""

    def __init__(self, oak: DaemonProcess) -> None:
        self.socket = ClientSocket(f"{os.path.dirname(oak.path)}/port.sock", 10)
        self.buffer = messages.FrameBuffer()

    def say(self, *bodies: Any) -> None:
        """Send messages, or raw bytes as they are."""
        self.socket.send(
            b"".join(b if isinstance(b, bytes) else messages.encode(b) for b in bodies)
        )

    def hear(self) -> list[list[Any]]:
        """Return the answers until the daemon closes the connection."""
        found: list[list[Any]] = []
        while data := self.socket.receive(65536):
            found += map(messages.decode_answer, self.buffer.feed(data))
        return found

    def hear_some(self, count: int) -> list[list[Any]]:
        """Return that many answers."""
        found: list[list[Any]] = []
        while len(found) < count:
            data = self.socket.receive(65536)
            assert data
            found += map(messages.decode_answer, self.buffer.feed(data))
        return found

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def caller(oak: DaemonProcess) -> Iterator[Caller]:
    """A connection without a handshake."""
    made = Caller(oak)
    yield made
    made.close()


def assert_serves() -> None:
    with isinglass.connect("oak") as database:
        database.put("t", "probe", {"n": 1}, durability="commit")
        assert database.get("t", "probe") == {"n": 1}


def framed(body: bytes) -> bytes:
    return messages.LENGTH.pack(len(body)) + body


BAD = [
    ("too long", [HELLO, messages.LENGTH.pack(messages.FRAME_LIMIT_BYTES + 1)]),
    ("malformed", [HELLO, framed(b"\xc1")]),
    ("not a request", [HELLO, framed(msgpack.packb({"a": 1}))]),
    ("unknown operation", [HELLO, framed(msgpack.packb([5, 77]))]),
    ("bad argument", [HELLO, framed(msgpack.packb([5, messages.DROP_TABLE, 3]))]),
    ("no handshake", [[5, messages.PUT, "t", "k", VALUE, 0, 0]]),
    ("no handshake", [[1, messages.HELLO, "http", messages.PROTOCOL_VERSION, 0]]),
    ("wrong version", [[1, messages.HELLO, messages.PROTOCOL_NAME, 99, 0]]),
]


@pytest.mark.parametrize(("reason", "said"), BAD, ids=[reason for reason, _ in BAD])
def test_a_bad_frame_is_counted_answered_and_ends_the_connection(
    oak: DaemonProcess, caller: Caller, reason: str, said: list[Any]
) -> None:
    field = reason.replace(" ", "_")
    before = whole(oak.panel("port"), field)
    caller.say(*said)
    answers = caller.hear()
    assert answers[-1][1] == messages.REFUSED
    assert len(answers) == len(said)
    assert whole(oak.panel("port"), field) == before + 1
    assert_serves()


def test_every_reason_has_a_counter(oak: DaemonProcess) -> None:
    names = {field.name for field in oak.panel("port").fields}
    assert {reason.replace(" ", "_") for reason in messages.REASONS} <= names


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ([9, messages.PUT, "none", "k", VALUE, 0, 0], "TableMissing"),
        ([9, messages.PUT, "t", "", VALUE, 0, 0], "BadRecord"),
        ([9, messages.PUT, "t", "k", b"\x91\x01", 0, 0], "BadRecord"),
        ([9, messages.PUT, "t", "k", b"\x81\x01\x01", 0, 0], "BadRecord"),
        ([9, messages.PUT, "t", "k", b"\xc1", 0, 0], "BadRecord"),
        ([9, messages.PUT, "t", "k" * 500, VALUE, 0, 0], "RecordTooLarge"),
        ([9, messages.PUT, "t", "k", b"\x81\xa1a\xda\xff\xff" + bytes(65535), 0, 0],
         "RecordTooLarge"),
        ([9, messages.PUT_MANY, "t", [["k", VALUE], ["k"]], 0, 0], "UsageError"),
        ([9, messages.PUT_MANY, "t", [["k", "text"]], 0, 0], "BadRecord"),
        ([9, messages.CREATE_TABLE, "", "", []], "BadRecord"),
        ([9, messages.CREATE_TABLE, "x", "long", []], "BadRecord"),
        ([9, messages.CREATE_TABLE, "x", "", [1]], "BadRecord"),
        ([9, messages.DROP_TABLE, "none"], "TableMissing"),
        (HELLO, "UsageError"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_and_the_connection_goes_on(
    caller: Caller, request_: list[Any], error: str
) -> None:
    caller.say(HELLO, request_, [10, messages.PUT, "t", "k", VALUE, 0, 0])
    _, refused, done = caller.hear_some(3)
    assert (refused[1], refused[2]) == (messages.REFUSED, error)
    assert refused[3]
    assert done[1] == messages.DONE


def test_requests_sent_together_are_answered_by_their_numbers(caller: Caller) -> None:
    count = 3000
    caller.say(HELLO, *([n, messages.PUT, "t", str(n % 9), VALUE, 0, 0] for n in range(2, count)))
    answers = caller.hear_some(count - 1)
    assert [answer[0] for answer in answers] == list(range(1, count))
    places = [answer[2] for answer in answers[1:]]
    assert places == sorted(places)


def test_a_client_that_takes_no_answers_is_not_read_for_ever(oak: DaemonProcess) -> None:
    """It gets its answers when it wants them; until then the daemon keeps a bounded number."""
    greedy = Caller(oak)
    greedy.say(HELLO)
    greedy.hear_some(1)
    before = whole(oak.panel("port"), "paused")
    count, sent = 200_000, 0
    raw = socket.socket(fileno=os.dup(greedy.socket._socket.fileno()))
    raw.setblocking(False)
    frames = b"".join(messages.encode([7, messages.FLUSH, 1, 0]) for _ in range(count))
    while sent < len(frames) and whole(oak.panel("port"), "paused") == before:
        try:
            sent += raw.send(frames[sent : sent + 65536])
        except BlockingIOError:
            assert_serves()
    assert whole(oak.panel("port"), "paused") > before
    assert sent < len(frames)
    assert_serves()
    raw.close()
    greedy.close()
    assert_serves()


def test_thousands_of_random_inputs_are_dropped_and_counted(oak: DaemonProcess) -> None:
    generator = random.Random(20)
    valid = messages.encode([2, messages.PUT, "t", "k", VALUE, 1, 0])
    reasons = [reason.replace(" ", "_") for reason in messages.REASONS]
    before = {field: whole(oak.panel("port"), field) for field in reasons}
    for number in range(4000):
        caller = Caller(oak)
        raw = bytearray(valid * generator.randrange(1, 4))
        kind = number % 4
        if kind == 0:
            raw = bytearray(generator.randbytes(generator.randrange(200)))
        elif kind == 1:
            for _ in range(generator.randrange(1, 9)):
                raw[generator.randrange(len(raw))] ^= 1 << generator.randrange(8)
        elif kind == 2:
            raw = raw[: generator.randrange(len(raw))]
        else:
            raw = bytearray(framed(generator.randbytes(generator.randrange(1, 60))))
        caller.say(*([HELLO] if generator.random() < 0.8 else []), bytes(raw))
        caller.close()
        if number % 500 == 0:
            assert_serves()
    assert_serves()
    after = {field: whole(oak.panel("port"), field) for field in reasons}
    assert sum(after.values()) - sum(before.values()) > 1500
    assert all(after[field] > before[field] for field in reasons if field != "wrong_version")
    assert oak.process.poll() is None
    owner = oak.snapshot().owner
    assert owner is not None
    assert [error.kind for error in owner.errors] == []  # a fault of ours would stand here
    assert oak.panel("port")["connections"] == 0
