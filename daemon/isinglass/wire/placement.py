"""Placement: which node is the primary of a record, the same on every node of one view.

A record's slot is one of 4,096 (`store/buckets`), and each slot goes to the member with the highest
hash of its name and the slot: rendezvous hashing (Thaler and Ravishankar, "A Name-Based Mapping
Scheme for Rendezvous", 1996). When a member comes or goes only its own slots move. The table is
made once a view, so a look-up is one index; the second of a slot is who is asked beside a silent
primary.

A view changes when others have just fallen silent, and then a node must not stand still itself: so
what a member bids is made once, eight slots from one hash, and a table of five takes a millisecond.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

SLOTS = 4096
_TOGETHER = 8  # slots that one hash of 64 bytes serves
_BIDS = struct.Struct(f">{SLOTS}Q")
_ORIGIN = (1 << 16) - 1


@lru_cache(maxsize=256)
def bids_of(name: str, origin: int) -> tuple[int, ...]:
    """Return what a member bids for each slot, with its origin below the 48 bits of the bid."""
    key = name.encode()[:64]
    hashes = (blake2b(b"%d" % block, key=key).digest() for block in range(SLOTS // _TOGETHER))
    return tuple(bid & ~_ORIGIN | origin for bid in _BIDS.unpack(b"".join(hashes)))


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
        self._bids = [bids_of(name, origin) for origin, name in self.members]
        first = self._bids[:1]  # a second time, since max of one number is an error
        highest = map(max, *self._bids, *first) if first else ()
        self.primaries = [bid & _ORIGIN for bid in highest]

    def primary(self, slot: int) -> int:
        """Return the origin of a slot's primary; 0 when the view is empty."""
        return self.primaries[slot] if self.primaries else 0

    def second(self, slot: int) -> int:
        """Return the origin of the member that is next in line; 0 when there is none."""
        ranked = sorted((bids[slot] for bids in self._bids), reverse=True)
        return ranked[1] & _ORIGIN if len(ranked) > 1 else 0

    def share(self, origin: int) -> float:
        """Return which share of all slots a member is the primary of."""
        return self.primaries.count(origin) / SLOTS if self.primaries else 0.0


@lru_cache(maxsize=256)
def placement_of(members: tuple[tuple[int, str], ...]) -> Placement:
    """Return the primaries of a view; views come back."""
    return Placement(members)
