"""What this client wrote and the store does not show yet; pure.

The daemon answers a write when it is queued, and gives it a place in line. The store shows it once
the node's "applied through" has reached that place. Until then the client answers its own reads of
that record from here, so that it reads its own writes:

    written ──answer with a place──▶ kept here ──applied through ≥ place──▶ in the store, forgotten

"Applied through" passes a place only when that update, or a newer one of its record, is in the
store. What a record is after an add, only the store can tell, which has the adds of all others,
too: of adds the place alone is kept, and a read of such a record waits until it is passed.
"""

from __future__ import annotations

import threading

PRUNE_AT = 1024
Kept = tuple[int, bytes | None]
"""A place, and the packed value; None for a deletion."""
Where = tuple[str, str]  # table and key


class OwnWrites:
    """Places and values of own writes that may still be queued; several threads use it."""

    __slots__ = ("_lock", "_prune_at", "counted", "kept", "last_place")

    def __init__(self) -> None:
        self.kept: dict[Where, Kept] = {}
        self.counted: dict[Where, int] = {}  # the places of adds
        self.last_place = 0
        self._prune_at = PRUNE_AT
        self._lock = threading.Lock()

    def add(
        self, table: str, key: str, place: int, payload: bytes | None, applied_through: int
    ) -> None:
        """Keep one write; now and then forget those that the store shows."""
        with self._lock:
            self.kept[table, key] = (place, payload)
            self.last_place = max(self.last_place, place)
            if len(self.kept) >= self._prune_at:
                self._forget(applied_through)

    def superseded(self, table: str, key: str) -> None:
        """Forget the write of a record that this client has written again, at another node."""
        with self._lock:
            self.kept.pop((table, key), None)

    def add_many(
        self, table: str, items: list[tuple[str, bytes]], place: int, applied_through: int
    ) -> None:
        """Keep several writes that were answered together."""
        with self._lock:
            self.kept.update({(table, key): (place, payload) for key, payload in items})
            self.last_place = max(self.last_place, place)
            if len(self.kept) >= self._prune_at:
                self._forget(applied_through)

    def add_counts(self, table: str, keys: list[str], place: int, applied_through: int) -> None:
        """Keep that a field of some records was counted up."""
        with self._lock:
            self.counted.update({(table, key): place for key in keys})
            self.last_place = max(self.last_place, place)
            if len(self.counted) >= self._prune_at:
                self._forget(applied_through)

    def counts(self, table: str, key: str, applied_through: int) -> bool:
        """Tell whether there is an add to a record that the store does not show yet."""
        return self.counted.get((table, key), 0) > applied_through

    def waiting(self, table: str, key: str, applied_through: int) -> Kept | None:
        """Return the write of a record that the store does not show yet, or None."""
        found = self.kept.get((table, key))
        return found if found is not None and found[0] > applied_through else None

    def settle(self, applied_through: int) -> bool:
        """Tell whether the store shows all own writes; if so forget them."""
        if self.last_place > applied_through:
            return False
        with self._lock:
            self._forget(applied_through)
        return not self.kept and not self.counted

    def _forget(self, applied_through: int) -> None:
        self.kept = {k: found for k, found in self.kept.items() if found[0] > applied_through}
        self.counted = {k: place for k, place in self.counted.items() if place > applied_through}
        # Doubling keeps the cost of looking through them constant for each write.
        self._prune_at = max(PRUNE_AT, 2 * len(self.kept), 2 * len(self.counted))

    def not_applied(self, applied_through: int) -> int:
        """Return how many records the store does not show as this client wrote them."""
        places = [place for place, _ in list(self.kept.values())] + list(self.counted.values())
        return sum(place > applied_through for place in places)

    def forget_table(self, table: str) -> None:
        """Forget the writes to a table that was dropped."""
        with self._lock:
            self.kept = {where: found for where, found in self.kept.items() if where[0] != table}
            self.counted = {where: at for where, at in self.counted.items() if where[0] != table}

    def clear(self) -> None:
        """Forget everything: the daemon was restarted, and its places start again."""
        with self._lock:
            self.kept, self.counted, self.last_place = {}, {}, 0

    def after_fork(self) -> None:
        """In a forked child: no other thread is there to give the lock back."""
        self._lock = threading.Lock()
