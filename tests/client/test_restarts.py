"""A client through what becomes of its daemon: other stores, other writers, broken connections."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import isinglass
from daemon_process import DaemonProcess, daemon
from isinglass import clock, errors
from isinglass.client.connection import Connection, socket_path
from isinglass.wire import messages, transport


@pytest.fixture
def oak() -> Iterator[DaemonProcess]:
    with daemon("oak") as process:
        yield process


def test_a_store_that_was_moved_away_is_no_longer_read(oak: DaemonProcess, data_dir: Path) -> None:
    """As the errors of a damaged one say, or to join a cluster anew."""
    with isinglass.connect("oak") as one, isinglass.connect("oak") as two:
        one.create_table("old")
        one.put("old", "k", {"n": 1}, durability="commit")
        assert oak.stop() == 0
        os.rename(data_dir / "oak", data_dir / "moved")
        oak.start()
        one.create_table("new")
        assert list(one.tables()) == ["new"]
        with pytest.raises(errors.TableMissing):
            one.get("old", "k")
        one.put("new", "k", {"n": 2}, durability="commit")
        assert one.get("new", "k") == {"n": 2}
        two.flush()
        assert two.get("new", "k") == {"n": 2}


def test_what_a_killed_daemon_only_queued_hides_nothing_that_came_later() -> None:
    with daemon("oak", gather_seconds=10) as oak, isinglass.connect("oak") as mine:
        mine.create_table("t")
        mine.put("t", "k", {"by": "me"})
        assert mine.get("t", "k") == {"by": "me"}
        oak.kill()
        assert mine.get("t", "k") == {"by": "me"}  # nobody knows better
        oak.start()
        with isinglass.connect("oak") as other:
            other.put("t", "k", {"by": "another"}, durability="commit")
        assert mine.get("t", "k") == {"by": "another"}
        with pytest.raises(errors.WritesLost):
            mine.flush()


@pytest.mark.parametrize("field", ["x", "x" * 1000])
def test_what_the_daemon_does_not_understand_is_refused_once(
    oak: DaemonProcess, field: str
) -> None:
    """Also among several requests, whose other answers never come."""
    with isinglass.connect("oak") as database:
        database.create_table("t")
        rows = {str(number): {"field": field} for number in range(1000)}
        with pytest.raises(errors.RequestRefused, match="put many"):
            database.put_many(5, rows)  # type: ignore[arg-type]
        database.put("t", "k", {"n": 1})
    assert oak.panel("port")["bad_argument"] == 1


def test_a_thread_that_waits_for_the_daemon_is_told_when_its_client_is_closed(
    oak: DaemonProcess,
) -> None:
    connected, killed = threading.Event(), threading.Event()
    told: list[str] = []

    def write() -> None:
        database.put("t", "k", {"n": 1})
        connected.set()
        killed.wait()
        try:
            database.put("t", "k", {"n": 2})
        except errors.DaemonAway as error:
            told.append(str(error))

    with isinglass.connect("oak", timeout_seconds=60) as database:
        database.create_table("t")
        writing = threading.Thread(target=write)
        writing.start()
        assert connected.wait(30)
        oak.kill()
        killed.set()
        while not database._session.panel.retries:
            clock.sleep(0.005)
    writing.join(10)
    assert len(told) == 1 and "is closed" in told[0]


@contextmanager
def breaking(greeting: list[object]) -> Iterator[None]:
    """Sit at the socket of a killed node: greet as its daemon did, then break each connection."""
    listener = transport.listen(socket_path("oak"))
    listener.setblocking(True)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(messages.encode([1, messages.DONE, greeting]))
                connection.recv(4096)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(2)
        listener.close()
        thread.join()


def test_a_call_takes_its_time_in_all_also_when_the_next_daemon_hangs(oak: DaemonProcess) -> None:
    with isinglass.connect("oak", timeout_seconds=3) as database:
        database.create_table("t")
        oak.kill()
        listeners = []
        comes = threading.Timer(2, lambda: listeners.append(transport.listen(socket_path("oak"))))
        comes.start()
        started_ns = clock.monotonic_ns()
        with pytest.raises(errors.RequestTimeout):
            database.put("t", "k", {"n": 1})
        assert clock.monotonic_ns() - started_ns < 4.5e9
        listeners[0].close()


def test_a_connection_that_breaks_again_and_again_is_told_within_the_timeout(
    oak: DaemonProcess,
) -> None:
    with isinglass.connect("oak", timeout_seconds=0.5) as database:
        database.create_table("t")
        seen = Connection("oak", 1.0)
        greeting = [
            messages.PROTOCOL_VERSION, "oak", seen.generation, seen.applied_place,
            seen.data_directory, seen.log,
        ]  # fmt: skip
        seen.close()
        oak.kill()
        with (
            breaking(greeting),
            pytest.raises(errors.DaemonAway, match="again and again"),
        ):
            database.put("t", "k", {"n": 1})
