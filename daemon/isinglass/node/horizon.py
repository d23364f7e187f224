"""The horizon: which deletions every known member has passed, so that their marks may go.

A node knows its own stream: which stamp each of its updates bears, and how far every member has
applied it. The stamp through which all have is its *own* horizon; heartbeats carry it. The least of
the horizons of all known members, away or not, is the one that counts *everywhere*: whatever
bears an older stamp, of whatever origin, is in the store of every member. An operator who gives a
node up forgets it (`isinglass forget`), and the horizon moves on.

Pure. One sample of (number, stamp) for each STEP own updates, 32 bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from isinglass.node.vectors import Vectors
from isinglass.wire.membership import Membership

STEP = 64
SAMPLE_LIMIT = 50_000


class Horizon:
    """Stamps that are behind everyone.

    Args:
        latest_stamp: returns the newest stamp that this node has drawn or seen.
    """

    def __init__(
        self, vectors: Vectors, members: Membership, latest_stamp: Callable[[], int]
    ) -> None:
        self._vectors, self._members, self._latest_stamp = vectors, members, latest_stamp
        self._numbers: list[int] = [0]
        self._stamps: list[int] = [0]
        self._reached = 0

    def made(self, number: int, record: bytes) -> None:
        """Note the stamp of an own update."""
        if number - self._numbers[-1] >= STEP or number == 1:
            self._numbers.append(number)
            self._stamps.append(int.from_bytes(record[:8], "big"))
            if len(self._numbers) > SAMPLE_LIMIT:
                del self._numbers[1::2], self._stamps[1::2]

    def own(self) -> int:
        """Return the stamp through which every member has applied this node's updates."""
        members = list(self._members.members.values())
        vectors, own = self._vectors, self._vectors.own
        for stream in vectors.inboxes:
            if stream[0] == own[0] and stream != own and not vectors.settled(stream, members):
                return self._reached
        applied = min(
            [vectors.inboxes[own].applied.reached, *(m.progress(own).applied for m in members)]
        )
        if applied == vectors.sequence:
            self._reached = max(self._reached, self._latest_stamp())
        else:
            at = bisect_right(self._numbers, applied) - 1
            self._reached = max(self._reached, self._stamps[at])
            del self._numbers[:at], self._stamps[:at]
        return self._reached

    def everywhere(self) -> int:
        """Return the stamp below which every update of every node is in every store."""
        heard = [member.report for member in self._members.members.values()]
        if any(report is None for report in heard):
            return 0  # somebody was not heard in this life
        return min([self.own(), *(report.horizon for report in heard if report is not None)])
