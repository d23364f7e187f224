"""The texts of a node's source files as the far side hands them out: these alone, and in pieces.

Only files are read that marks of the node's processes lie in and that the segment has a hash of: so
a client learns what the processes that it may see were loaded from, and no other file. A piece is
sent when it is asked for, so a frame waits for one piece at most. The near side compares the hash.
"""

from __future__ import annotations

import os
import stat
import zlib

from isinglass.errors import RelayRefused
from isinglass.remote.message_bodies import TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

PIECE_BYTES = 16 * 1024
MOST_BYTES = 1024 * 1024


class SourcePieces:
    """The file of one node that is being handed out.

    Args:
        paths: returns the files that may be.
    """

    def __init__(self, paths: Callable[[], Collection[str]]) -> None:
        self._paths = paths
        self._path, self._content = "", b""

    def answer(self, number: int, offset: int, path: str) -> bytes:
        """Return the body of the TEXT that answers; of a file that is not handed out, why not."""
        try:
            if offset == 0 or path != self._path:
                self._path, self._content = path, self._read(path)
        except RelayRefused as reason:
            return TEXT.pack(number, offset, 0, 0) + zlib.compress(str(reason).encode())
        content = self._content
        piece = content[offset : offset + PIECE_BYTES]
        head = TEXT.pack(number, offset, len(content), zlib.crc32(content))
        if offset + PIECE_BYTES >= len(content):
            self._path, self._content = "", b""
        return head + zlib.compress(piece)

    def _read(self, path: str) -> bytes:
        """Return a file's bytes.

        Raises:
            RelayRefused: it is none of the node's, or cannot be read, or is too large.
        """
        if path not in self._paths():
            raise RelayRefused("no process of the node says that it runs that file")
        try:
            # A path that has become a pipe or a device would hold the relay up.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as reason:
            raise RelayRefused(f"the file cannot be read there: {reason.strerror}") from None
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise RelayRefused("what is there under that name is no file")
            content = file.read(MOST_BYTES + 1)
        if not content:
            raise RelayRefused("the file is empty there")
        if len(content) > MOST_BYTES:
            raise RelayRefused(f"the file is larger than the {MOST_BYTES >> 20} MiB that are sent")
        return content
