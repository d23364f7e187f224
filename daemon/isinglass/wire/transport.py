"""The only sockets of the product: the Unix socket between clients and their daemon.

The client's side is a blocking socket with the kernel's own timeouts (socket(7), SO_RCVTIMEO): one
system call to send and one to receive, where Python's timeouts would add a poll to each. The
daemon's side is an asyncio server, whose protocol the port brings. The directory of the node keeps
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
RECEIVE_BYTES = 256 * 1024
# sun_path has 108 bytes with its closing zero (unix(7)).
LONGEST_PATH_BYTES = 107
_TIMEVAL = struct.Struct("@ll")


class ClientSocket:
    """A connection to a daemon; every call waits at most the timeout, then raises OSError."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        """Connect to the socket at `path`.

        Raises:
            OSError: nobody listens there.
        """
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self.set_timeout(timeout_seconds)
            with _short(path) as short:
                self._socket.connect(short)
        except BaseException:
            self._socket.close()
            raise
        self.send = self._socket.sendall
        self.receive = self._socket.recv

    def set_timeout(self, seconds: float) -> None:
        """Let every later call wait at most so long; BlockingIOError says that it was over."""
        whole = max(seconds, 0.001)
        limit = _TIMEVAL.pack(int(whole), int(whole % 1 * 1_000_000))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def close(self) -> None:
        """Close this process's end."""
        self._socket.close()


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


async def serve(
    loop: asyncio.AbstractEventLoop,
    listener: socket.socket,
    protocol: Callable[[], asyncio.BaseProtocol],
) -> asyncio.Server:
    """Accept connections on `listener`, each with a protocol of its own."""
    return await loop.create_unix_server(protocol, sock=listener)


def notify_supervisor(text: str) -> bool:
    """Send a line to the supervisor's socket (sd_notify(3)); False when there is none."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifier:
        try:
            notifier.connect(address)
            notifier.sendall(text.encode())
        except OSError:
            return False
    return True
