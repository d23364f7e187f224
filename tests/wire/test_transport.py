"""The Unix socket: its mode, long paths, left-over sockets, timeouts, the supervisor's line."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from isinglass.wire import transport


class Echo(asyncio.Protocol):
    """Sends back what it gets."""

    def connection_made(self, connection: asyncio.BaseTransport) -> None:
        assert isinstance(connection, asyncio.WriteTransport)
        self.connection = connection

    def data_received(self, data: bytes) -> None:
        self.connection.write(data)


def test_a_client_and_an_asyncio_server_exchange_bytes(tmp_path: Path) -> None:
    path = str(tmp_path / "port.sock")
    listener = transport.listen(path)
    assert stat.S_IMODE(os.stat(path).st_mode) == transport.SOCKET_MODE
    loop, started = asyncio.new_event_loop(), threading.Event()

    def run() -> None:
        server = loop.run_until_complete(transport.serve(loop, listener, Echo))
        started.set()
        loop.run_forever()
        server.close()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    client = transport.ClientSocket(path, 10)
    client.send(b"hello")
    assert client.receive(100) == b"hello"
    client.close()
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    assert not thread.is_alive()


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
