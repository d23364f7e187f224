"""Losses: what other nodes sent and did not come, told apart by who lost it.

The kernel counts what this node's own socket dropped because it was full. What is missing shows by
the gaps in the numbers of each sender's datagrams. So of what is missing as many as were dropped
were lost here, and the rest in the network. Both counts have their time:

- A datagram that was overtaken is missing for a moment only. It is lost when it is still missing
  at the next look.
- A drop is counted at once, but its gap shows when the next datagram of that sender is read. So
  drops wait for their gaps, for KEPT_LOOKS: they may also be of datagrams that count for nothing,
  such as this node's own.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from isinglass.wire.streams import StreamId

KEPT_LOOKS = 12
_WORD = (1 << 32) - 1


class Losses:
    """What was lost so far, of each life of each sender."""

    def __init__(self) -> None:
        self._drops = self._unclaimed = self._looks = 0
        self._known: dict[StreamId, tuple[int, int]] = {}  # missing at the last look, and counted

    def look(self, drops: int, missing: Mapping[StreamId, int]) -> dict[StreamId, tuple[int, int]]:
        """Return what was lost since the last look, by sender: in the network, and here.

        Args:
            drops: datagrams that the own socket has dropped, modulo 2**32.
            missing: how many of each sender's datagrams are missing now.
        """
        if dropped := drops - self._drops & _WORD:
            self._unclaimed, self._looks = self._unclaimed + dropped, KEPT_LOOKS
        self._drops = drops
        found, known = {}, {}
        for sender, now in missing.items():
            before, counted = self._known.get(sender, (0, 0))
            lost = min(before, now)
            if lost > counted:
                here = min(lost - counted, self._unclaimed)
                self._unclaimed -= here
                found[sender] = (lost - counted - here, here)
                counted = lost
            known[sender] = (now, min(counted, now))
        self._known = known
        self._looks -= 1
        if self._looks <= 0:
            self._unclaimed = 0
        return found
