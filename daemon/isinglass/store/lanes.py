"""The lanes of the queue: what waits, by table; single records, or groups of them.

A table has one open lane. It is sealed, and followed by a fresh one, when what waits in it must
stay as it is: the table gets another shape, or merging is switched off.

An add needs to know all that waits of its record. Without merging that is every update of a hot
key, so what they say together is kept beside them, and brought up to date as they come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from functools import reduce

from isinglass.store.counters import join
from isinglass.store.records import NEVER, group_of, older_bound
from isinglass.store.tables import TableState


class Sealed:
    """What waits of one key in the sealed lanes of its table.

    Attributes:
        records: those that wait, the oldest first.
    """

    __slots__ = ("_together", "records")

    def __init__(self, record: bytes) -> None:
        self.records = deque([record])
        # It may know of what was taken, too, which is in hand or stored. None: work it out anew.
        self._together: bytes | None = record

    def append(self, record: bytes) -> None:
        """Add one that was sealed after all others."""
        self.records.append(record)
        if self._together is not None:
            self._together = join(self._together, record)

    def remove(self, record: bytes) -> None:
        """Remove one that is not to be applied."""
        self.records.remove(record)
        self._together = None

    def together(self) -> bytes:
        """Return one record that says what all of them say."""
        if self._together is None:
            self._together = reduce(join, self.records)
        return self._together


class Lane:
    """The queued updates of one table: single records, or groups of them."""

    __slots__ = (
        "before", "counts", "created", "floor", "floor_bound", "groups", "name", "records",
        "sealed", "separator", "shape", "visible",
    )  # fmt: skip

    def __init__(self, state: TableState, before: dict[bytes, Sealed] | None = None) -> None:
        self.name, self.shape, self.created, self.floor = state
        self.separator = self.shape.group_by.encode()
        self.records: dict[bytes, bytes] = {}
        self.groups: dict[bytes, dict[bytes, bytes]] = {}
        self.sealed = False  # no longer the table's lane: nothing merges into it any more
        self.counts = False  # something that counts came into it
        self.before: dict[bytes, Sealed] = {} if before is None else before  # by key
        self.settle()

    def settle(self) -> None:
        """Work out what follows from the two versions."""
        self.floor_bound = b"" if self.floor == NEVER else older_bound(self.floor)
        self.visible = self.created > self.floor

    def state(self) -> TableState:
        """Return what is known of the table."""
        return TableState(self.name, self.shape, self.created, self.floor)

    def successor(self) -> Lane:
        """Seal this lane, and return a fresh one for the same table."""
        self.sealed = True
        for members in (self.records, *self.groups.values()):
            for key, record in members.items():
                sealed = self.before.get(key)
                if sealed is None:
                    self.before[key] = Sealed(record)
                else:
                    sealed.append(record)
        return Lane(self.state(), self.before)

    def taken(self, keys: Iterable[bytes]) -> None:
        """Forget what left this sealed lane and the line: of each key the oldest record."""
        for key in keys:
            self.before[key].records.popleft()
            self._forget_if_empty(key)

    def get(self, key: bytes) -> bytes | None:
        """Return what waits of a key in this lane, or None."""
        if not self.separator:
            return self.records.get(key)
        return self.groups.get(group_of(key, self.separator), {}).get(key)

    def waiting(self, key: bytes) -> Iterator[bytes]:
        """Yield what all that waits of a key of the table says: at most two records."""
        record = self.get(key)
        if record is not None:
            yield record
        if key in self.before:
            yield self.before[key].together()

    def _forget_if_empty(self, key: bytes) -> None:
        if not self.before[key].records:
            del self.before[key]

    def remove_older(self, bound: bytes) -> tuple[set[bytes], int, int]:
        """Remove every record below `bound`; return the keys or groups hit, how many, and bytes."""
        hit: set[bytes] = set()
        count = size = 0
        lone = [(key, self.records, [key]) for key in self.records]
        together = [(group, members, [*members]) for group, members in self.groups.items()]
        for group, members, keys in lone + together:
            for key in keys:
                if members[key] < bound:
                    count += 1
                    if self.sealed:
                        self.before[key].remove(members[key])
                        self._forget_if_empty(key)
                    size += len(key) + len(members.pop(key))
                    hit.add(group)
        self.groups = {group: members for group, members in self.groups.items() if members}
        return hit, count, size
