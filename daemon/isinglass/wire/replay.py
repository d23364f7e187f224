"""Which datagrams of a sender were received already, in constant memory.

A datagram that is genuine may still be an old one, sent again by the network or by somebody who
recorded it. Each sender numbers its datagrams; the receiver keeps the greatest number and one bit
for each of the WINDOW numbers below it. What is below the window counts as received. (RFC 4303,
section 3.4.3; there the window is 32 or 64. A whole int is shifted here: for 1,024 bits that takes
less than the ring of words of RFC 6479 does in Python.)
"""

from __future__ import annotations

WINDOW = 1024
_MASK = (1 << WINDOW) - 1


class ReplayWindow:
    """The numbers received from one sender, all different."""

    __slots__ = ("_bits", "first", "highest", "received")

    def __init__(self) -> None:
        self._bits = 0
        self.first = 0
        self.highest = -1
        self.received = 0

    def take(self, number: int) -> bool:
        """Return whether the number is new, and remember it; False for one below the window."""
        ahead = number - self.highest
        if ahead > 0:
            if self.received == 0:
                self.first = number
            self._bits = (self._bits << ahead & _MASK | 1) if ahead < WINDOW else 1
            self.highest = number
        else:
            bit = 1 << -ahead if ahead > -WINDOW else 0
            if not bit or self._bits & bit:
                return False
            self._bits |= bit
            self.first = min(self.first, number)
        self.received += 1
        return True

    @property
    def missing(self) -> int:
        """How many numbers between the first and the highest one were not received, so far."""
        return self.highest - self.first + 1 - self.received if self.received else 0
