"""The Unix socket between clients and their daemon, and the daemon's end of any stream.

The client's side is a blocking socket with the kernel's own timeouts (socket(7), SO_RCVTIMEO): one
system call to send and one to receive, where Python's timeouts would add a poll to each. The
daemon's side never blocks and runs on the port's asyncio loop. The directory of the node keeps
strangers out (0750), and the socket's own mode keeps out the group's strangers (0660).
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

SOCKET_MODE = 0o660
BACKLOG = 512
RECEIVE_BYTES = 4096
# sun_path has 108 bytes with its closing zero (unix(7)).
LONGEST_PATH_BYTES = 107
_TIMEVAL = struct.Struct("@ll")


class BlockingSocket:
    """A client's end of a stream; every call waits at most the limit, then raises OSError."""

    def __init__(self, family: int, limit_seconds: float) -> None:
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.send = self._socket.sendall
        self.receive = self._socket.recv
        self.limit(limit_seconds)

    def limit(self, seconds: float) -> None:
        """Let every later call wait at most so long; BlockingIOError says that it was over."""
        whole = max(seconds, 0.001)
        limit = _TIMEVAL.pack(int(whole), int(whole % 1 * 1_000_000))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def close(self) -> None:
        """Close this process's end."""
        self._socket.close()


class ClientSocket(BlockingSocket):
    """A connection to a daemon."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        """Connect to the socket at `path`.

        Raises:
            OSError: nobody listens there.
        """
        super().__init__(socket.AF_UNIX, timeout_seconds)
        try:
            with _short(path) as short:
                self._socket.connect(short)
        except BaseException:
            self.close()
            raise


class _short:
    """A name of at most 107 bytes for a socket's path: through its directory's descriptor."""

    def __init__(self, path: str) -> None:
        self._path, self._descriptor = path, -1

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) <= LONGEST_PATH_BYTES:
            return self._path
        folder, name = os.path.split(self._path)
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._descriptor}/{name}"

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


def listen(path: str) -> socket.socket:
    """Return a listening socket at `path`, in place of one that a dead daemon left.

    The caller must own the node's lock: a live daemon's socket would be taken away.

    Raises:
        OSError: the directory is not there or not writable, or `path` is no socket.
    """
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with _short(path) as short:
            listener.bind(short)
        os.chmod(path, SOCKET_MODE)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def unlink(path: str) -> None:
    """Remove a socket's name, so that clients see at once that nobody listens."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


class Peer:
    """The daemon's end of one connection: never waits; its loop's thread alone uses it.

    Bytes that the other side does not take yet are kept, in `unsent`, until it does; the owner
    looks at how many there are, and stops reading. (asyncio's own transports take three times as
    long for a short request: they allocate 256 KiB for each read and defer what can be done now.)

    Args:
        received: called with what came.
        lost: called once, when the connection is gone or closed.
        drained: called when everything unsent has been taken.
    """

    __slots__ = ("_descriptor", "_drained", "_loop", "_lost", "_received", "_socket", "unsent")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: socket.socket,
        received: Callable[[bytes], None],
        lost: Callable[[], None],
        drained: Callable[[], None],
    ) -> None:
        connection.setblocking(False)
        self._loop, self._socket, self._descriptor = loop, connection, connection.fileno()
        self._received, self._lost, self._drained = received, lost, drained
        self.unsent = bytearray()
        self.resume_reading()

    def pause_reading(self) -> None:
        """Leave what comes in the kernel, which holds the sender up when it has enough."""
        self._loop.remove_reader(self._descriptor)

    def resume_reading(self) -> None:
        """Read what comes."""
        if self._descriptor >= 0:
            self._loop.add_reader(self._descriptor, self._readable)

    def _readable(self) -> None:
        try:
            count = self._socket.recv_into(_RECEIVED)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if count:
            self._received(bytes(_RECEIVED_VIEW[:count]))
        else:
            self.close()

    def write(self, data: bytes) -> None:
        """Send, now or as soon as the other side takes it."""
        if self._descriptor < 0:
            return
        if not self.unsent:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                pass
            except OSError:
                self.close()
                return
            if not data:
                return
            self._loop.add_writer(self._descriptor, self._writable)
        self.unsent += data

    def _writable(self) -> None:
        try:
            del self.unsent[: self._socket.send(self.unsent)]
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not self.unsent:
            self._loop.remove_writer(self._descriptor)
            self._drained()

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return self._descriptor < 0

    def close(self) -> None:
        """Close; what is unsent is not sent."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            self._descriptor = -1
            self._socket.close()
            self._lost()


_RECEIVED = bytearray(64 * 1024)
_RECEIVED_VIEW = memoryview(_RECEIVED)
ACCEPT_PAUSE_SECONDS = 0.5


class Server:
    """Accepts connections on a loop, each handed to `accepted`, until it is closed."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        accepted: Callable[[socket.socket], None],
    ) -> None:
        self._loop, self._listener, self._accepted = loop, listener, accepted
        self._resume()

    def _resume(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener.fileno(), self._readable)

    def _readable(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:
            # Out of descriptors or memory: asking again at once would only burn the processor.
            self._loop.remove_reader(self._listener.fileno())
            self._loop.call_later(ACCEPT_PAUSE_SECONDS, self._resume)
            return
        self._accepted(connection)

    def close(self) -> None:
        """Accept no more."""
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()


NOTIFY_LIMIT_SECONDS = 1.0


def notify_supervisor(text: str) -> bool:
    """Send a line to the supervisor's socket (sd_notify(3)).

    Returns:
        False when there is none, or it does not take it within NOTIFY_LIMIT_SECONDS.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifier:
        notifier.settimeout(NOTIFY_LIMIT_SECONDS)
        try:
            notifier.connect(address)
            notifier.sendall(text.encode())
        except OSError:
            return False
    return True
