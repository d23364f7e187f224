"""How messages lie on the two pipes of a relay: found again in whatever else is on them.

Before a relay says its first word, a login shell may have printed a greeting on the same pipe, and
background jobs of that shell may print at any time. So each message stands behind a marker that no
text has, and nothing is believed unless its CRC fits; what is between two messages is skipped. Who
sends markers without a message behind them, to have bytes checked over and over, is let go. Pure.

    8 marker   2 kind   2 channel   4 bytes of the body   4 CRC-32 of kind to body   body

20 bytes a message besides its body, little-endian.
"""

from __future__ import annotations

import struct
from binascii import crc32

from isinglass.errors import RemoteError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER = b"\x15\x1c\xffISG\x00\xfe"
HEAD = struct.Struct("<8sHHII")
_CHECKED = struct.Struct("<HHI")
MOST_BYTES = 48 * 1024 * 1024  # a segment with all its regions in use is 26 MB without its rings
ASKING_BYTES = 64 * 1024  # names, paths, questions
NOISE_KEPT = 400


class Kind:
    """What a message is; the first line comes from the near side."""

    OPEN, GRANT, LIST, SOURCE, ASK = 1, 2, 3, 8, 10
    HELLO, FRAME, NODES, REFUSED, TEXT, ANSWER = 4, 5, 6, 7, 9, 11


class Message:
    """One message: its kind, the channel (a node's number on this pipe), and its bytes."""

    __slots__ = ("body", "channel", "kind")

    def __init__(self, kind: int, channel: int, body: bytes) -> None:
        self.kind, self.channel, self.body = kind, channel, body


def framed(kind: int, channel: int = 0, body: bytes = b"") -> bytes:
    """Return a message as it goes onto the pipe."""
    checked = crc32(body, crc32(_CHECKED.pack(kind, channel, len(body))))
    return HEAD.pack(MARKER, kind, channel, len(body), checked) + body


class Unframer:
    """Finds the messages in what comes; keeps the end of what was not one, for an error's text.

    Args:
        most_bytes: of a message; ASKING_BYTES for one side, which only asks.
    """

    __slots__ = ("_buffer", "_checked_bytes", "_most_bytes", "noise", "noise_bytes")

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._buffer = bytearray()
        self._checked_bytes = 0  # in vain
        self.noise = b""
        self.noise_bytes = 0

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that are whole now.

        Raises:
            RemoteError: far too much looks like messages and is none.
        """
        self._buffer += data
        while True:
            self._skip_to_marker()
            if len(self._buffer) < HEAD.size:
                return
            _, kind, channel, length, check = HEAD.unpack_from(self._buffer)
            if length > self._most_bytes:
                self._drop(1)
                continue
            end = HEAD.size + length
            if len(self._buffer) < end:
                return
            body = bytes(memoryview(self._buffer)[HEAD.size : end])
            if crc32(body, crc32(_CHECKED.pack(kind, channel, length))) != check:
                self._drop(1)
                self._vain(length)
                continue
            del self._buffer[:end]
            yield Message(kind, channel, body)

    def _vain(self, length: int) -> None:
        self._checked_bytes += length
        if self._checked_bytes > MOST_BYTES:
            raise RemoteError("the other side sends damaged messages without end")

    def _skip_to_marker(self) -> None:
        """Drop what comes before the next marker, or before what may be the start of one."""
        at = self._buffer.find(MARKER)
        if at < 0:
            kept = next(
                size for size in range(len(MARKER) - 1, -1, -1)
                if self._buffer.endswith(MARKER[:size])
            )  # fmt: skip
            at = len(self._buffer) - kept
        self._drop(at)

    def _drop(self, count: int) -> None:
        if count:
            self.noise = (self.noise + bytes(self._buffer[:count]))[-NOISE_KEPT:]
            self.noise_bytes += count
            del self._buffer[:count]
