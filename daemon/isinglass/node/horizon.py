"""The horizon: which deletions every known member has passed, so that their marks may go.

A node knows its own stream: which stamp each of its updates bears, and how far every member keeps
it. The stamp through which all do is its *own* horizon; heartbeats carry it. The least of the
horizons of all known members, away or not, is the one that counts *everywhere*: whatever bears this
stamp or an older one, of whatever origin, is in the store of every member. An operator who gives a
node up forgets it (`isinglass forget`), and the horizon moves on once all have what it left.

Whoever says a horizon promises to stamp nothing at or below it, in no later life either. So it is
noted in the store before it is said, and the next life's clock starts above it. And it stands still

    while a copy is under way     a copied record may be older than a deletion that came meanwhile
    while an own earlier stream, or one of a node that is out, is not with everybody
    while somebody reports a stream of a node that this one has not heard of

Pure. One sample of (number, stamp) for each STEP own updates, 32 bytes.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Mapping

from isinglass.node.vectors import Vectors
from isinglass.wire.membership import Membership

STEP = 64
SAMPLE_LIMIT = 50_000
HORIZON_NOTE = b"h"
_STAMP = struct.Struct(">Q")


class Horizon:
    """Stamps that are behind everyone.

    Args:
        notes: what the store has noted.
        latest_stamp: returns the newest stamp that this node has drawn or seen.
        copying: tells whether a copy into this node's store is under way.
    """

    def __init__(
        self,
        vectors: Vectors,
        members: Membership,
        notes: Mapping[bytes, bytes],
        latest_stamp: Callable[[], int],
        copying: Callable[[], bool],
    ) -> None:
        self._vectors, self._members = vectors, members
        self._latest_stamp, self._copying = latest_stamp, copying
        self._numbers: list[int] = [0]
        self._stamps: list[int] = [0]
        self._latest = self._barrier = 0
        self.noted: int = _STAMP.unpack(notes.get(HORIZON_NOTE, bytes(_STAMP.size)))[0]
        self._said: int = self.noted
        self.promised: int = self.noted

    def made(self, number: int, first: bytes, last: bytes) -> None:
        """Note the stamps of own updates up to `number`: of the first and the last one's record."""
        stamp = int.from_bytes(last[:8], "big")
        if int.from_bytes(first[:8], "big") < self._latest:
            self._barrier = number  # adopted from another stream: not in the order of stamps
            return
        self._latest = stamp
        if number - self._numbers[-1] >= STEP or not self._numbers[-1]:
            self._numbers.append(number)
            self._stamps.append(stamp)
            if len(self._numbers) > SAMPLE_LIMIT:
                del self._numbers[1::2], self._stamps[1::2]

    def _reached(self) -> int:
        """Return the stamp through which every member keeps this node's updates."""
        vectors, own = self._vectors, self._vectors.own
        if self._copying() or vectors.strangers() or any(map(self._is_open, vectors.inboxes)):
            return 0
        members = self._members.members.values()
        kept = min([vectors.inboxes[own].kept, *(m.progress(own).kept for m in members)])
        if kept < self._barrier:
            return 0
        if kept == vectors.sequence:
            return int(self._latest_stamp())
        at = bisect_right(self._numbers, kept) - 1
        if at < 0:
            return 0  # somebody has joined since, and keeps less than was forgotten here
        reached: int = self._stamps[at]
        del self._numbers[:at], self._stamps[:at]
        return reached

    def _is_open(self, stream: tuple[int, int]) -> bool:
        """Tell whether nobody but this node answers for a stream that is not with everybody."""
        mine = stream[0] == self._vectors.own[0] and stream != self._vectors.own
        return mine or self._members.is_forgotten(*stream)

    def notes(self) -> dict[bytes, bytes]:
        """Return what is to be noted before the horizon may move on."""
        reached = self._reached()
        return {HORIZON_NOTE: _STAMP.pack(reached)} if reached > self.noted else {}

    def was_noted(self, noted: Mapping[bytes, bytes]) -> None:
        """Take over what was noted."""
        if HORIZON_NOTE in noted:
            (self.noted,) = _STAMP.unpack(noted[HORIZON_NOTE])

    def own(self) -> int:
        """Return the stamp through which every member keeps this node's updates, and is told so."""
        self._said = max(self._said, min(self._reached(), self.promised))
        return self._said

    def everywhere(self) -> int:
        """Return the stamp through which every update of every node is in every store.

        What a member says holds for its own updates alone. Nobody says it of a node that is out, so
        it is not known until its streams are with everybody.
        """
        vectors = self._vectors
        if vectors.strangers() or any(self._members.is_forgotten(*s) for s in vectors.inboxes):
            return 0
        heard = [member.report for member in self._members.members.values()]
        if any(report is None for report in heard):
            return 0  # somebody was not heard in this life
        return min([self.own(), *(report.horizon for report in heard if report is not None)])
