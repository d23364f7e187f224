"""What the monitor's own socket has dropped, until it explains what is missing. Pure.

The kernel counts the datagrams that a full socket drops, but not whose they were. A hole in a
stream that shows in the seconds after a drop is taken for one of them, a datagram for each drop.
"""

from __future__ import annotations

KEPT_LOOKS = 12
_WORD = (1 << 32) - 1


class Drops:
    """Datagrams dropped here that no hole explains yet."""

    def __init__(self) -> None:
        self.total = 0
        self._seen: int | None = None
        self._unclaimed = self._looks = 0

    def look(self, count: int) -> None:
        """Take in what the kernel counts now, modulo 2**32; once a second."""
        if self._seen is None:
            self._seen = count
        if dropped := count - self._seen & _WORD:
            self.total += dropped
            self._unclaimed, self._looks = self._unclaimed + dropped, KEPT_LOOKS
        self._seen = count
        self._looks -= 1
        if self._looks <= 0:
            self._unclaimed = 0

    def claim(self, datagrams: int) -> int:
        """Take so many datagrams, at most; return how many."""
        claimed = min(datagrams, self._unclaimed)
        self._unclaimed -= claimed
        return claimed
