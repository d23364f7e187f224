"""The Unix socket: its mode, long paths, left-over sockets, timeouts, the supervisor's line."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isinglass.wire import transport


class Echoing:
    """A server on a loop of its own thread; each peer gets back what it sends."""

    def __init__(self, path: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.peers: list[transport.Peer] = []
        self.lost: list[str] = []
        self.drained = threading.Event()
        self.server = transport.Server(self.loop, transport.listen(path), self.accepted)
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def accepted(self, connection: socket.socket) -> None:
        peer = transport.Peer(
            self.loop,
            connection,
            lambda data: peer.write(data),
            lambda: self.lost.append("lost"),
            self.drained.set,
        )
        self.peers.append(peer)

    def call(self, function: Callable[[], object]) -> None:
        """Run something on the loop's thread, and wait until it has."""
        done = threading.Event()

        def called() -> None:
            function()
            done.set()

        self.loop.call_soon_threadsafe(called)
        assert done.wait(10)

    def close(self) -> None:
        self.call(self.server.close)
        for peer in self.peers:
            self.call(peer.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        assert not self.thread.is_alive()
        self.loop.close()


@pytest.fixture
def echoing(tmp_path: Path) -> Iterator[Echoing]:
    """An echo at `port.sock` in the test's directory."""
    server = Echoing(str(tmp_path / "port.sock"))
    yield server
    server.close()


def test_a_client_and_the_server_exchange_bytes(tmp_path: Path, echoing: Echoing) -> None:
    path = str(tmp_path / "port.sock")
    assert stat.S_IMODE(os.stat(path).st_mode) == transport.SOCKET_MODE
    clients = [transport.ClientSocket(path, 10) for _ in range(5)]
    for number, client in enumerate(clients):
        client.send(f"hello {number}".encode())
    for number, client in enumerate(clients):
        assert client.receive(100) == f"hello {number}".encode()
        client.close()


def test_what_the_client_does_not_take_is_kept_and_sent_later(
    tmp_path: Path, echoing: Echoing
) -> None:
    client = transport.ClientSocket(str(tmp_path / "port.sock"), 10)
    client.send(b"x")
    assert client.receive(1) == b"x"
    (peer,) = echoing.peers
    much = os.urandom(4_000_000)

    def answer() -> None:
        peer.pause_reading()
        peer.write(much)
        peer.write(b"the end")

    echoing.call(answer)
    assert len(peer.unsent) > 1_000_000
    found = b""
    while not found.endswith(b"the end"):
        found += client.receive(65536)
    assert found == much + b"the end"
    assert echoing.drained.wait(10)
    assert not peer.unsent
    client.close()


def test_a_client_that_goes_is_noticed_once(tmp_path: Path, echoing: Echoing) -> None:
    client = transport.ClientSocket(str(tmp_path / "port.sock"), 10)
    client.send(b"x")
    assert client.receive(1) == b"x"
    client.close()
    while not echoing.peers[0].closed:
        echoing.call(lambda: None)
    echoing.call(lambda: echoing.peers[0].write(b"nobody reads this"))
    echoing.call(echoing.peers[0].close)
    assert echoing.lost == ["lost"]


def test_a_path_longer_than_a_socket_address_works(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    path = str(folder / "port.sock")
    assert len(path) > transport.LONGEST_PATH_BYTES
    listener = transport.listen(path)
    client = transport.ClientSocket(path, 1)
    listener.setblocking(True)
    accepted, _ = listener.accept()
    client.send(b"x")
    assert accepted.recv(1) == b"x"
    for end in (accepted, listener):
        end.close()
    client.close()


def test_a_left_over_socket_is_replaced_and_any_other_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "port.sock"
    transport.listen(str(path)).close()
    assert path.exists()
    with pytest.raises(ConnectionRefusedError):
        transport.ClientSocket(str(path), 1)
    transport.listen(str(path)).close()
    path.unlink()
    path.write_text("a file")
    with pytest.raises(OSError):
        transport.listen(str(path))
    assert path.read_text() == "a file"


def test_a_silent_daemon_is_an_error_within_the_timeout(tmp_path: Path) -> None:
    path = str(tmp_path / "port.sock")
    listener = transport.listen(path)
    client = transport.ClientSocket(path, 0.05)
    with pytest.raises(BlockingIOError):
        client.receive(1)
    client.close()
    listener.close()


def test_the_supervisor_hears_a_line_and_its_absence_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not transport.notify_supervisor("READY=1")
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        assert transport.notify_supervisor("READY=1")
        assert supervisor.recv(100) == b"READY=1"
    assert not transport.notify_supervisor("READY=1")


def test_a_supervisor_that_reads_nothing_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    taken: list[bool] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as flooding:
            flooding.connect(str(tmp_path / "notify"))
            with pytest.raises(BlockingIOError):
                while True:
                    flooding.send(b"x")
        telling = threading.Thread(
            target=lambda: taken.append(transport.notify_supervisor("WATCHDOG=1")), daemon=True
        )
        telling.start()
        telling.join(10)
    assert taken == [False]
