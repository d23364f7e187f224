"""What a node's store has, kept in a dictionary, for tests of what stands before the store."""

from __future__ import annotations

from collections.abc import Iterable


class Stored:
    """Records by table and key, as an intake asks for them."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, bytes], bytes] = {}

    def stored(self, table: str, key: bytes) -> bytes | None:
        """Return the record of a key, or None."""
        return self.records.get((table, key))

    def stored_all(self, table: str, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the records of keys, as far as there are any."""
        return {key: self.records[table, key] for key in keys if (table, key) in self.records}
