"""Adopting: what only this node may still have of a life that has ended, sent again as its own.

Five ways lead to records that no other node can ask for, because no number tells of them:

    above a gap       updates came above one that nobody can send again (see `repairs`), or may
                      have come before a restart (see `vectors`)
    by a repair       it stands for an update's number, and brings the record as it is now: with
                      later updates, perhaps of another node, whose own numbers are still to come
    beyond a vector   a copy takes time, so it also brings what its source applied while it lasted;
                      were the source's power cut then, these records would be here alone; and so
                      would be what came of a copy that was not ended
    kept aside        this node's last life could not put it into the store, and it may not have
                      come to others (see `recovery`)
    written alone     this node's last life was no member of a cluster

For the first the journal has the names, for the last the files. What repairs brought is remembered
by name until the horizon, which is everywhere, has passed it. For the third, and where journal or
memory are too short, the store is read: a record counts if that life wrote it after the horizon, or
if it has an add that the life made after the horizon, whoever added to it since.
Sent again they do no harm where they are known: applying is a join. Until they are sent this node's
horizon stands still. A node that is killed while it is wary does not see which lives end meanwhile,
and one that is killed before all is sent has not sent the rest: so it notes that it is wary, until
its own numbers tell of what it sent, and its next life looks for the records of all nodes. So does
one that was alone before: that life noted with its first write that the next one is to be wary.

    idle ──a copy──▶ wary ──a life ends──▶ waiting ──all is in the store──▶ reading ──▶ wary
      ▲               │
      └───────────────┘ the horizon passes what was newest when the copy ended

    note  b"w"  ->  u64: wary; stamps up to this one were everywhere when it began

Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from isinglass.node.outside import Outside, Shelf
from isinglass.node.shelf import table_state
from isinglass.store.buckets import COUNT
from isinglass.store.counters import versions_in
from isinglass.store.records import COUNTING, FLAGS, VERSION
from isinglass.wire.journal import Name
from isinglass.wire.streams import StreamId

WARY_NOTE = b"w"
REPAIRED_LIMIT = 10_000  # names, about 2 MB
LOOK_EVERY_TICKS = 20  # at repaired records that are everywhere by now; a second
_STAMP = struct.Struct(">Q")
_ANYBODY = 0  # no node has this number
ALL_BUCKETS = list(range(COUNT))


def written_alone(noted: Mapping[bytes, bytes], newest_stamp: int) -> dict[bytes, bytes]:
    """Return what a life that is no member of a cluster is to note with its first write.

    Args:
        noted: what the store has noted.
        newest_stamp: the newest one that a member may have sent; this life's are above it.
    """
    return {} if WARY_NOTE in noted else {WARY_NOTE: _STAMP.pack(newest_stamp)}


def _versions(table: str, key: bytes, record: bytes) -> Iterable[bytes]:
    """Return the versions of what a record is made of, which may be of several nodes."""
    if not key:
        state = table_state(table, record)
        return state.created, state.floor
    return versions_in(record) if record[FLAGS] >= COUNTING else (record,)


class Adopting:
    """Finds what is to be sent again.

    Args:
        horizon: returns the stamp that is everywhere.
        latest_stamp: returns the newest stamp that this node has drawn or seen.
        publish: sends keys and records, in turn, whose last one is in line at a place.
        copying: tells whether a copy is under way.
        notes: what the store has noted.

    Attributes:
        kept_aside: what the last life kept aside is still to be sent, once the store has it.
    """

    def __init__(
        self,
        shelf: Shelf,
        outside: Outside,
        horizon: Callable[[], int],
        latest_stamp: Callable[[], int],
        publish: Callable[[str, Sequence[bytes], int], int],
        copying: Callable[[], bool],
        notes: Mapping[bytes, bytes],
    ) -> None:
        self._shelf, self._outside, self._publish = shelf, outside, publish
        self._horizon, self._latest_stamp, self._copying = horizon, latest_stamp, copying
        self._place = 0  # what is to be read is in line at or before this
        self._wary_through = 0  # copies may have brought something of stamps up to this one
        self._origins: dict[int, int] = {}  # whose records are to be read: above which stamp
        self._reading: dict[int, int] | None = None
        self._level: int | None = None  # while wary: what is newer may be here alone
        self._repaired: dict[Name, int] = {}  # what repairs brought, and its stamp
        self._is_due = False  # it is to be sent
        self._ticks = 0
        self.kept_aside = False
        self._noted = notes.get(WARY_NOTE, b"")
        if self._noted:
            (self._level,) = _STAMP.unpack(self._noted)
            self._origins[_ANYBODY] = self._level
            self.copied()

    @property
    def busy(self) -> bool:
        """Whether something is still to be sent."""
        reading = bool(self._origins) or self._reading is not None
        return self._is_due or reading or self.kept_aside

    def begins(self, level: int) -> None:
        """A copy begins, or what is like one; stamps up to `level` are everywhere."""
        self._level = level if self._level is None else min(self._level, level)

    def copied(self) -> None:
        """A copy has ended, or was given up."""
        self._wary_through = self._latest_stamp()

    def repaired(self, table: str, key: bytes, stamp: int) -> None:
        """A repair has brought a record as it is now, of that stamp."""
        if not self._repaired:
            self.begins(self._horizon())
        self._repaired[table, key] = stamp
        if len(self._repaired) > REPAIRED_LIMIT:  # as after a copy: the store is read instead
            self._repaired = {}
            self.copied()

    def life_ended(self, origin: int) -> None:
        """A life of a node is over, and with it what it had not told others."""
        self._is_due = self._is_due or bool(self._repaired)
        if self._copying() or self._horizon() < self._wary_through:
            self.look_for(origin)

    def look_for(self, origin: int) -> None:
        """Send again the records of an origin that this store has and another may lack."""
        self._origins.setdefault(origin, self._horizon())
        self._place = self._shelf.last_place

    def tick(self) -> None:
        """Send what is due; read what is to be read, once it is in the store."""
        self._ticks += 1
        if self._is_due:
            self._is_due = False
            self.send(self._repaired)
            self._repaired = {}
        elif self._repaired and self._ticks % LOOK_EVERY_TICKS == 0:
            horizon = self._horizon()
            self._repaired = {n: stamp for n, stamp in self._repaired.items() if stamp > horizon}
        if self._copying():
            self._place = self._shelf.last_place
        elif self._shelf.applied_through >= self._place:
            self._read()
            if not (self.busy or self._repaired) and self._horizon() >= self._wary_through:
                self._level = None

    def notes(self) -> dict[bytes, bytes]:
        """Return what is to be noted in the next transaction."""
        note = b"" if self._level is None else _STAMP.pack(self._level)
        return {WARY_NOTE: note} if note != self._noted else {}

    def was_noted(self, noted: Mapping[bytes, bytes]) -> None:
        """Take over what was noted."""
        self._noted = noted.get(WARY_NOTE, self._noted)

    def _read(self) -> None:
        if self._reading is None and self._origins:
            self._reading, self._origins = self._origins, {}
            for item in self._shelf.tables():
                self._look(*item)
            self._go_on([])

    def _go_on(self, cursor: list[Any]) -> None:
        self._outside.records(ALL_BUCKETS, cursor, self._came)

    def _came(self, answer: list[Any] | None) -> None:
        if answer is None:  # the store could not be read: once more, from the start
            if self._reading is not None:
                self._origins = {**self._reading, **self._origins}
            self._reading = None
            return
        items, cursor = answer
        for table, key, record in items:
            self._look(table, key, record)
        if cursor:
            self._go_on(cursor)
        else:
            self._reading = None

    def _look(self, table: str, key: bytes, record: bytes) -> None:
        reading = self._reading or {}
        for version in _versions(table, key, record):
            stamp, origin = VERSION.unpack_from(version)
            if stamp > reading.get(origin, reading.get(_ANYBODY, stamp)):
                self._send_again(table, key, record)
                return

    def _send_again(self, table: str, key: bytes, record: bytes) -> None:
        self._place = self._shelf.last_place
        self._publish(table, (key, record), self._place)

    def gap(self, stream: StreamId, names: set[Name | None]) -> None:
        """Send again what came above a gap.

        Args:
            names: of the records, as the journal has them; None for one that it has no more.
        """
        self.begins(self._horizon())  # the stream's note tells of it no more
        self.send(name for name in names if name is not None)
        if None in names:
            self.look_for(stream[0])

    def send(self, names: Iterable[Name]) -> None:
        """Send again what records and tables are now."""
        for table, key in sorted(names):
            record = self._shelf.current(table, key)
            if record is not None:
                self._send_again(table, key, record)
