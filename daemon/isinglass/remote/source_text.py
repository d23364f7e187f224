"""The text of one source file on its way from the far side, put together of its pieces.

The next piece is asked for when the one before has come. A file that is written to meanwhile has
another checksum in the next piece: then it is begun anew, a few times at most. Pure.

    waiting ──the last piece──▶ there        waiting ──it is not handed out──▶ refused
"""

from __future__ import annotations

import zlib

from isinglass.remote.message_bodies import TEXT, pack_source

MOST_BYTES = 1024 * 1024
MOST_STARTS = 3


class SourceText:
    """One file, at first with nothing of it; `content` is there when it is whole.

    Args:
        path: the file, as the node's processes name it.
        number: which one of the node's; no two have the same.
    """

    __slots__ = ("_checksum", "_number", "_pieces", "_starts", "content", "path", "refused")

    def __init__(self, path: str, number: int) -> None:
        self.path = path
        self.content: bytes | None = None
        self.refused = ""
        self._number = number
        self._pieces = bytearray()
        self._checksum = 0
        self._starts = 0

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.content is not None or bool(self.refused)

    def question(self) -> bytes:
        """Return the body of the message that asks for the next piece."""
        return pack_source(self._number, len(self._pieces), self.path)

    def begin_again(self) -> None:
        """Forget what came: through another link, or of another version."""
        self._pieces.clear()

    def take(self, body: bytes) -> None:
        """Take a piece, or why there is none; what answers another question is left out.

        Raises:
            struct.error, zlib.error: it is damaged.
        """
        number, offset, size_bytes, checksum = TEXT.unpack_from(body)
        if number != self._number or offset != len(self._pieces) or self.over:
            return
        piece = zlib.decompressobj().decompress(body[TEXT.size :], MOST_BYTES)
        if not size_bytes or size_bytes > MOST_BYTES or not piece:
            self.refused = piece.decode("utf-8", "replace") or "the far side sent nothing of it"
            return
        if offset and checksum != self._checksum:
            self._changed_meanwhile()
            return
        self._checksum = checksum
        self._pieces += piece
        if len(self._pieces) >= size_bytes:
            self._finish(bytes(self._pieces))

    def _finish(self, content: bytes) -> None:
        if zlib.crc32(content) == self._checksum:
            self.content = content
        else:
            self._changed_meanwhile()

    def _changed_meanwhile(self) -> None:
        self._starts += 1
        self.begin_again()
        if self._starts >= MOST_STARTS:
            self.refused = "the file is being written to there, again and again"
