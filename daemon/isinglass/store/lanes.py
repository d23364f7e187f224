"""The lanes of the queue: what waits, by table; single records, or groups of them.

A table has one open lane. It is sealed, and followed by a fresh one, when what waits in it must
stay as it is: the table gets another shape, or merging is switched off.
"""

from __future__ import annotations

from isinglass.store.records import NEVER, older_bound
from isinglass.store.tables import TableState


class Lane:
    """The queued updates of one table: single records, or groups of them."""

    __slots__ = (
        "created", "floor", "floor_bound", "groups", "name", "records", "sealed", "separator",
        "shape", "visible",
    )  # fmt: skip

    def __init__(self, state: TableState) -> None:
        self.name, self.shape, self.created, self.floor = state
        self.separator = self.shape.group_by.encode()
        self.records: dict[bytes, bytes] = {}
        self.groups: dict[bytes, dict[bytes, bytes]] = {}
        self.sealed = False  # no longer the table's lane: nothing merges into it any more
        self.settle()

    def settle(self) -> None:
        """Work out what follows from the two versions."""
        self.floor_bound = b"" if self.floor == NEVER else older_bound(self.floor)
        self.visible = self.created > self.floor

    def state(self) -> TableState:
        """Return what another lane for the same table starts from."""
        return TableState(self.name, self.shape, self.created, self.floor)

    def remove_older(self, bound: bytes) -> tuple[int, int]:
        """Remove every record below `bound`; return how many, and their bytes."""
        before = weight(self.records, self.groups)
        self.records = {k: record for k, record in self.records.items() if record >= bound}
        kept = {
            group: {k: record for k, record in members.items() if record >= bound}
            for group, members in self.groups.items()
        }
        self.groups = {group: members for group, members in kept.items() if members}
        after = weight(self.records, self.groups)
        return before[0] - after[0], before[1] - after[1]


def weight(records: dict[bytes, bytes], groups: dict[bytes, dict[bytes, bytes]]) -> tuple[int, int]:
    parts = [records, *groups.values()]
    return (
        sum(map(len, parts)),
        sum(sum(map(len, part)) + sum(map(len, part.values())) for part in parts),
    )
