"""What the queue hands to the store: record writes, table creates and table drops.

A batch is a list of these, applied in order in one transaction. Within one `Writes` each key comes
once, so the order inside does not matter. Every one carries versions, and applying is idempotent
and commutative: a batch may be applied twice, or a later one first, and the store ends the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from isinglass.store.records import group_of
from isinglass.store.tables import TableShape


class Writes(NamedTuple):
    """Records of one table: single ones, or by storage group as the queue has them.

    records: key -> stored record.
    groups: group -> (key -> stored record), grouped by `separator`; the store regroups them when
        its table has another one.
    """

    table: str
    records: Mapping[bytes, bytes]
    groups: Mapping[bytes, Mapping[bytes, bytes]] = {}
    separator: bytes = b""

    def get(self, key: bytes) -> bytes | None:
        """Return the record of a key, or None."""
        members = self.groups.get(group_of(key, self.separator)) if self.groups else None
        return (members or self.records).get(key)


class CreateTable(NamedTuple):
    """Create a table, or give it another shape; the newest version wins."""

    table: str
    shape: TableShape
    version: bytes


class DropTable(NamedTuple):
    """Empty a table of every record that is not newer, and hide it until it is created again."""

    table: str
    version: bytes


Step = Writes | CreateTable | DropTable


class Applied(NamedTuple):
    """What applying a batch did.

    written: records stored. outdated: records that the store had newer, or whose table was dropped.
    unknown: records of tables that never were created. puts, written_bytes: LMDB values stored.
    """

    written: int = 0
    outdated: int = 0
    unknown: int = 0
    puts: int = 0
    written_bytes: int = 0
