"""Placement: which node is the primary of a record, the same on every node of one view.

A record's slot is one of 4,096 (`store/buckets`), and each slot goes to the member with the highest
hash of its name and the slot: rendezvous hashing (Thaler and Ravishankar, "A Name-Based Mapping
Scheme for Rendezvous", 1996). When a member comes or goes only its own slots move. The table is
made once a view, so a look-up is one index; the second of a slot is who is asked beside a silent
primary.

4,096 x 2 small numbers; about 15 ms for five members.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

SLOTS = 4096


def weight(name: str, slot: int) -> bytes:
    """Return what a member bids for a slot; the highest bid wins."""
    return blake2b(b"%d" % slot, key=name.encode()[:64], digest_size=8).digest()


class Placement:
    """The primaries of one view.

    Args:
        members: (origin, name) of the members that primaries are chosen from.
    """

    def __init__(self, members: Iterable[tuple[int, str]]) -> None:
        self.members = tuple(sorted(members))
        self.origins = tuple(origin for origin, _ in self.members)
        names = "\n".join(name for _, name in self.members)
        self.view = int.from_bytes(blake2b(names.encode(), digest_size=4).digest(), "big")
        ranked = [self._ranked(slot) for slot in range(SLOTS)] if self.members else []
        self.primaries = [order[0] for order in ranked]
        self._seconds = [order[1] if len(order) > 1 else 0 for order in ranked]

    def _ranked(self, slot: int) -> list[int]:
        bids = sorted((weight(name, slot), origin) for origin, name in self.members)
        return [origin for _, origin in reversed(bids)]

    def primary(self, slot: int) -> int:
        """Return the origin of a slot's primary; 0 when the view is empty."""
        return self.primaries[slot] if self.primaries else 0

    def second(self, slot: int) -> int:
        """Return the origin of the member that is next in line; 0 when there is none."""
        return self._seconds[slot] if self._seconds else 0

    def share(self, origin: int) -> float:
        """Return which share of all slots a member is the primary of."""
        return self.primaries.count(origin) / SLOTS if self.primaries else 0.0


@lru_cache(maxsize=256)
def placement_of(members: tuple[tuple[int, str], ...]) -> Placement:
    """Return the primaries of a view; views come back, and making one takes some milliseconds."""
    return Placement(members)
