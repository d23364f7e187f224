"""What one transaction of the spool stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from isinglass_monitor.spool.records import Record


class Piece(NamedTuple):
    """Consecutive events of one stream, with what came of them.

    Attributes:
        how: a word of `spool/streams`: RECEIVED, REPAIRED or LOST.
        late: they had been given up, and came after all.
        cause: why they are, or were, given up.
        dropped: keys of gap records that these events undo.
    """

    stream: int
    node: str
    process: str
    how: str
    first: int
    last: int
    records: Sequence[Record]
    arrived_ns: int
    size_bytes: int = 0  # of the datagram that they came in
    late: bool = False
    dropped: Sequence[bytes] = ()
    cause: str = ""

    @property
    def events(self) -> int:
        """How many events it speaks of."""
        return self.last - self.first + 1
