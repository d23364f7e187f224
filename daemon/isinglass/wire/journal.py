"""The journal: which record each recent update of each stream was about.

It keeps names, not contents: a repair sends the record as it is now, which is at least as new as
the update that was missed, because applying is a join (see `store/records`). So any node that has
received an update can repair it, and the journal costs about 100 bytes an update. What is older
than the floor of a stream cannot be repaired; such a gap is closed by comparing buckets.

    stream ──▶ {number: (table, key)}, the oldest leave first; floor = what is surely there

Pure. Bounded by `limit` updates of all streams together.
"""

from __future__ import annotations

from isinglass.wire.streams import StreamId

Name = tuple[str, bytes]
"""Table and key of a record; an empty key means the table itself."""


class Journal:
    """Names of the newest updates, by stream and number.

    Args:
        limit: the most updates that it keeps.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._streams: dict[StreamId, dict[int, Name]] = {}
        self._floors: dict[StreamId, int] = {}

    def open(self, stream: StreamId, floor: int) -> dict[int, Name]:
        """Return the entries of a stream, to add to; what is below `floor` is not there."""
        entries = self._streams.get(stream)
        if entries is None:
            entries = self._streams[stream] = {}
            self._floors[stream] = floor
        return entries

    def trim(self) -> None:
        """Let the oldest updates of the longest stream go when all together are too many.

        To be called after adding: so a stream that ended, or is slow, keeps what it has as long as
        others have more.
        """
        excess = len(self) - self.limit
        if excess <= 0:
            return
        stream = max(self._streams, key=lambda stream: len(self._streams[stream]))
        entries = self._streams[stream]
        oldest = [number for number, _ in zip(entries, range(excess), strict=False)]
        for number in oldest:
            del entries[number]
        self._floors[stream] = max(self._floors[stream], max(oldest) + 1)
        self.trim()

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

    def __len__(self) -> int:
        return sum(map(len, self._streams.values()))
