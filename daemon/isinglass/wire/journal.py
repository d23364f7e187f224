"""The journal: which record each recent update of each stream was about.

It keeps names, not contents: a repair sends the record as it is now, which is at least as new as
the update that was missed, because applying is a join (see `store/records`). So any node that has
received an update can repair it, and the journal costs about 100 bytes an update. What is older
than the floor of a stream cannot be repaired; such a gap is closed by comparing buckets.

    stream ──▶ {number: (table, key)}, the oldest leave first; floor = what is surely there

The oldest entry is found by its number, counting on from the last one that left: a dict from whose
front much was deleted takes longer and longer to tell its first key.

Pure. Bounded by `limit` updates of all streams together.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

from isinglass.wire.streams import StreamId

Name = tuple[str, bytes]
"""Table and key of a record; an empty key means the table itself."""


def note_run(entries: dict[int, Name], first: int, table: str, keys: Sequence[bytes]) -> None:
    """Note which records of a table the updates from number `first` on were about."""
    numbers = range(first, first + len(keys))
    entries.update(zip(numbers, zip(repeat(table), keys, strict=False), strict=True))


class Journal:
    """Names of the newest updates, by stream and number.

    Args:
        limit: the most updates that it keeps.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._streams: dict[StreamId, dict[int, Name]] = {}
        self._floors: dict[StreamId, int] = {}
        self._oldest: dict[StreamId, int] = {}  # where to look for the next one to leave

    def open(self, stream: StreamId, floor: int) -> dict[int, Name]:
        """Return the entries of a stream, to add to; what is below `floor` is not there."""
        entries = self._streams.get(stream)
        if entries is None:
            entries = self._streams[stream] = {}
            self._floors[stream] = self._oldest[stream] = floor
        return entries

    def trim(self) -> None:
        """Let the oldest updates of the longest stream go when all together are too many.

        To be called after adding: so a stream that ended, or is slow, keeps what it has as long as
        others have more.
        """
        while (excess := len(self) - self.limit) > 0:
            stream = max(self._streams, key=lambda stream: len(self._streams[stream]))
            self._forget(stream, excess)

    def _forget(self, stream: StreamId, count: int) -> None:
        """Let the oldest updates of a stream go."""
        entries, number, misses = self._streams[stream], self._oldest[stream], 0
        highest = 0  # what closed a gap late is below what left already, and leaves after it
        while count and entries:
            if entries.pop(number, None) is not None:
                count, highest = count - 1, max(highest, number)
            elif (misses := misses + 1) > len(entries):
                number, misses = min(entries), 0  # behind a wide gap, or before the last ones
                continue
            number += 1
        self._oldest[stream] = number
        self._floors[stream] = max(self._floors[stream], highest + 1)

    def raise_floor(self, stream: StreamId, floor: int) -> None:
        """Say that nothing below `floor` is there: it came by a copy, without names."""
        if stream in self._floors:
            self._floors[stream] = max(self._floors[stream], floor)

    def floor(self, stream: StreamId) -> int:
        """Return the first number from which on everything received is there; 0: nothing is."""
        return self._floors.get(stream, 0)

    def name(self, stream: StreamId, number: int) -> Name | None:
        """Return what an update was about, or None when it is not there."""
        entries = self._streams.get(stream)
        return entries.get(number) if entries is not None else None

    def drop(self, stream: StreamId) -> None:
        """Forget a stream."""
        self._streams.pop(stream, None)
        self._floors.pop(stream, None)
        self._oldest.pop(stream, None)

    def __len__(self) -> int:
        return sum(map(len, self._streams.values()))
