"""The frames of one node deflated as one stream, flushed after each frame (RFC 1951).

Most of a frame is much like the one before, so a frame is half as long as it would be alone, and
the quarter of a megabyte that deflating needs is taken once a node instead of once a frame.
"""

from __future__ import annotations

import zlib

LEVEL = 6
MOST_FRAME_BYTES = 64 * 1024 * 1024


class Deflater:
    """The far side's end of a stream."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)

    def pack(self, data: bytes) -> bytes:
        """Return the next piece of the stream, which ends with these bytes."""
        return self._stream.compress(data) + self._stream.flush(zlib.Z_SYNC_FLUSH)


class Inflater:
    """The near side's end of a stream."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)

    def unpack(self, data: bytes) -> bytes:
        """Return what was packed into a piece.

        Raises:
            zlib.error: it is damaged, or would fill the memory.
        """
        found = self._stream.decompress(data, MOST_FRAME_BYTES)
        if self._stream.unconsumed_tail or self._stream.eof:
            raise zlib.error("a frame that is larger than any segment")
        return found
