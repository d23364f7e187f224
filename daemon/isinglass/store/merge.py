"""The indexed update queue: merges what waits, and never changes what the store becomes.

Updates wait in line, indexed by table and key. The rules, each with its counter:

    superseded   a newer update of a queued record replaces it and keeps the older one's place; an
                 add joins what is queued (see `counters`) and keeps its place, too
    stale        an update older than the queued one, or than a drop of its table, goes away
    dropped      a drop of a table removes that table's older queued updates, and takes the place
                 of the first of them
    rolled       updates of records that are stored together are one write; the whole group is
                 taken when its first one is

Because the older one's place is kept, the head of the line tells exactly through which place
everything is applied (`applied_through`): an update offered at place n is in the store, or gone for
a newer one that is, once `applied_through >= n`, and nothing is waited for longer than it must.

Why the outcome cannot change: the store keeps, of each record, the greatest version it was ever
offered (see `records`), or the join of all (see `counters`), and of each table the greatest floor
and create. All rules leave out only what is smaller than something else in line. A batch that is
being applied is out of the index, so later updates never change it; until it is applied, `take`
gives the same batch again.

Bounded by entries and bytes: beyond them `offer` refuses and the caller decides. No IO, no clock,
no lock: the caller holds one lock around every call and passes monotonic time. About a microsecond
an offer.

`offered = superseded + stale + dropped + rolled + written + length` at any moment without a batch
in flight.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from isinglass.errors import TableExists, TableMissing
from isinglass.store import runs
from isinglass.store.changes import CreateTable, DropTable
from isinglass.store.counters import joined
from isinglass.store.lanes import Lane
from isinglass.store.line import (
    TABLE_CHANGE_BYTES,
    Batch,
    Ticket,
    take_all,
    take_some,
    unusual,
    without_older,
)
from isinglass.store.panels import QueuePanel
from isinglass.store.records import NEVER, group_of, is_counting
from isinglass.store.tables import TableShape, TableState

REFUSED = 0  # the place of an update that did not enter
NANOSECONDS_PER_SECOND = 1e9

OFFERED = QueuePanel.offered.index
REFUSALS = QueuePanel.refused.index
SUPERSEDED = QueuePanel.superseded.index
STALE = QueuePanel.stale.index
DROPPED = QueuePanel.dropped.index
ROLLED = QueuePanel.rolled.index
LENGTH = QueuePanel.length.index
SIZE = QueuePanel.size.index
OFFERED_BYTES = QueuePanel.offered_bytes.index
APPLIED_THROUGH = QueuePanel.applied_through.index


class UpdateQueue:
    """The line of updates of a node, indexed by table and key.

    Args:
        panel: counts and gauges of this queue.
        limit_entries, limit_bytes: beyond either, offers are refused.
        merging: False keeps every update as a write of its own (to measure what merging saves).
    """

    def __init__(
        self,
        panel: QueuePanel,
        limit_entries: int = 200_000,
        limit_bytes: int = 64 << 20,
        *,
        merging: bool = True,
    ) -> None:
        self._panel, self._words, self._signed = panel, panel.words, panel.signed
        self._limit_entries, self._limit_bytes = limit_entries, limit_bytes
        panel.limit, panel.size_limit = limit_entries, limit_bytes
        self._merging = merging
        self._lanes: dict[str, Lane] = {}
        self._line: deque[Ticket] = deque()
        self._batch: Batch | None = None
        self._unusual = 0  # tickets in line of table changes and sealed lanes
        self._place = 0
        self._length = 0
        self._size = 0
        self._written = 0

    def define(self, states: Iterable[TableState]) -> None:
        """Tell the queue which tables the store has; once, before the first offer."""
        self._lanes = {state.name: Lane(state) for state in states}

    def states(self) -> list[TableState]:
        """Return what is known of every table as of the last offered change, visible or not."""
        return [lane.state() for lane in self._lanes.values()]

    def state_of(self, table: str) -> TableState | None:
        """Return what is known of one table; None when nobody ever spoke of it."""
        lane = self._lanes.get(table)
        return lane.state() if lane else None

    @property
    def length(self) -> int:
        """Updates that wait or are being applied."""
        return self._length

    @property
    def size_bytes(self) -> int:
        """Keys and records of the updates that wait or are being applied."""
        return self._size

    @property
    def last_place(self) -> int:
        """The place of the newest update that entered; 0 before the first."""
        return self._place

    @property
    def applied_through(self) -> int:
        """Every update up to this place is in the store; the next one still waits."""
        if self._batch:
            return self._batch.first_place - 1
        return self._line[0][0] - 1 if self._line else self._place

    def shape_of(self, table: str) -> TableShape | None:
        """Return the shape of a table as of the last offered change; None when there is no such."""
        lane = self._lanes.get(table)
        return lane.shape if lane and lane.visible else None

    def waiting(self, table: str, key: bytes) -> Iterator[bytes]:
        """Return what all records of a key that wait outside a batch say, as at most two.

        More than one waits when the table got another shape, or when merging is off.
        """
        lane = self._lanes.get(table)
        return lane.waiting(key) if lane else iter(())

    def floor_of(self, table: str) -> bytes:
        """Return the version of a table's newest drop; NEVER when there was none."""
        lane = self._lanes.get(table)
        return NEVER if lane is None else lane.floor

    def offer_counting(self, table: str, key: bytes, record: bytes, now_ns: int) -> int:
        """Put a counting record of this node in line: as `offer`."""
        if self.shape_of(table) is None:
            raise _missing(table)
        return self.offer(table, key, record, now_ns, True)

    def offer(
        self, table: str, key: bytes, record: bytes, now_ns: int, unchecked: bool = False
    ) -> int:
        """Put one plain record in line and return its place, or REFUSED when the queue is full.

        Args:
            key, record: as stored (see `records`), already checked.
            now_ns: monotonic time.
            unchecked: another node stamped it: it may count, and be there before its table.

        Raises:
            TableMissing: the table was never created, or is dropped.
        """
        lane = self._lanes.get(table)
        if lane is None or not (lane.visible or unchecked):
            raise _missing(table)
        group = group_of(key, lane.separator) if lane.separator else key
        records = lane.groups.get(group) if lane.separator else lane.records
        queued = records.get(key) if records else None
        if records and not self._merging and (queued or lane.separator):
            lane, records, queued = self._sealed(lane), None, None
        offered = len(record)
        if (unchecked or lane.counts) and is_counting(record, queued):
            lane.counts = True
            record, stale = joined(queued, record, lane.floor)
        else:
            stale = record < (queued or lane.floor_bound) or record == queued
        size = len(record) + len(key) if queued is None else len(record) - len(queued)
        if size > 0 and (
            self._size + size > self._limit_bytes
            or (queued is None and self._length >= self._limit_entries)
        ):
            self._words[REFUSALS] += 1
            return REFUSED
        words = self._words
        self._place = place = self._place + 1
        words[OFFERED] = place
        words[OFFERED_BYTES] += offered + len(key)
        if stale:
            words[STALE] += 1
            if not self._line and self._batch is None:
                self._signed[APPLIED_THROUGH] = place  # nobody will apply anything to say so
            return place
        if queued is not None:
            words[SUPERSEDED] += 1
            records[key] = record  # type: ignore[index]
        else:
            self._length += 1
            words[LENGTH] = self._length
            if not lane.separator:
                lane.records[key] = record
                self._line.append((place, lane, key, now_ns))
            elif records:
                records[key] = record
            else:
                lane.groups[group] = {key: record}
                self._line.append((place, lane, group, now_ns))
        self._size = size = self._size + size
        self._signed[SIZE] = size
        return place

    def offer_run(
        self, table: str, pairs: Sequence[bytes], now_ns: int, unchecked: bool = False
    ) -> tuple[int, int]:
        """Put the first records of a table that there is room for in line, one behind the other.

        Args:
            pairs: keys and records in turn; the rest, and what is raised, as for `offer`.

        Returns:
            The place of the last one that entered, or REFUSED, and how many did: places in a row.
        """
        lane = self._lanes.get(table)
        visible = lane is not None and (lane.visible or unchecked)
        if lane is None or not (visible and self._merging and runs.is_plain(lane, pairs)):
            return self._offer_each(table, pairs, now_ns, unchecked)
        is_idle = not self._line and self._batch is None
        room, room_bytes = self._limit_entries - self._length, self._limit_bytes - self._size
        run = runs.enter(lane, self._line, pairs, self._place, now_ns, room, room_bytes)
        words = self._words
        self._place += run.entered
        words[OFFERED] = self._place
        words[OFFERED_BYTES] += run.offered_bytes
        words[SUPERSEDED] += run.superseded
        words[STALE] += run.stale
        words[REFUSALS] += run.full
        self._weigh(run.added, run.grown_bytes)
        if run.stale and is_idle:  # nobody will apply the first ones to say so
            self._signed[APPLIED_THROUGH] = self.applied_through
        return self._place if run.entered else REFUSED, run.entered

    def _offer_each(
        self, table: str, pairs: Sequence[bytes], now_ns: int, unchecked: bool
    ) -> tuple[int, int]:
        entered = 0
        for key, record in zip(pairs[::2], pairs[1::2], strict=True):
            if self.offer(table, key, record, now_ns, unchecked) == REFUSED:
                break
            entered += 1
        return self._place if entered else REFUSED, entered

    def _sealed(self, lane: Lane) -> Lane:
        """Close a lane to merging, and give its table a new one."""
        self._unusual += len(lane.records) + len(lane.groups)
        fresh = self._lanes[lane.name] = lane.successor()
        return fresh

    def offer_create(
        self, table: str, shape: TableShape, version: bytes, now_ns: int, *, foreign: bool = False
    ) -> int:
        """Put the creation of a table in line; it can be used at once. Returns as `offer` does.

        Args:
            foreign: another node created it, and the newest version decides on the shape.

        Raises:
            TableExists: the table is there with another shape, and this is not foreign.
        """
        lane = self._lanes.get(table)
        if lane and lane.visible and lane.shape != shape and not foreign:
            raise TableExists(
                f"table {table!r} exists with group_by {lane.shape.group_by!r} and indexes"
                f" {list(lane.shape.indexes)}: drop it first, or ask for the same"
            )
        place = self._change(CreateTable(table, shape, version), now_ns)
        if place == REFUSED:
            return REFUSED
        if lane is None:
            self._lanes[table] = Lane(TableState(table, shape, version, NEVER))
        elif (version, shape) > (lane.created, lane.shape):
            lane.created = version
            if lane.shape != shape:
                lane = self._sealed(lane)  # what waits belongs to the old shape
                lane.shape, lane.separator = shape, shape.group_by.encode()
            lane.settle()
        return place

    def offer_drop(self, table: str, version: bytes, now_ns: int, *, foreign: bool = False) -> int:
        """Put the drop of a table in line; its older updates go at once. Returns as `offer` does.

        Args:
            foreign: another node dropped it, perhaps before this one heard of its creation.

        Raises:
            TableMissing: the table was never created, and this is not foreign.
        """
        lane = self._lanes.get(table)
        if lane is None and not foreign:
            raise TableMissing(f"there is no table {table!r}")
        place = self._change(DropTable(table, version), now_ns)
        if place == REFUSED:
            return REFUSED
        if lane is None:
            self._lanes[table] = Lane(TableState(table, TableShape(), NEVER, version))
        elif version > lane.floor:
            lane.floor = version
            lane.settle()
            self._remove_older(table, lane.floor_bound)
        return place

    def _change(self, change: CreateTable | DropTable, now_ns: int) -> int:
        if (
            self._length >= self._limit_entries
            or self._size + TABLE_CHANGE_BYTES > self._limit_bytes
        ):
            self._words[REFUSALS] += 1
            return REFUSED
        self._place += 1
        self._words[OFFERED] = self._place
        self._line.append((self._place, change, b"", now_ns))
        self._unusual += 1
        self._weigh(1, TABLE_CHANGE_BYTES)
        return self._place

    def _weigh(self, updates: int, size: int) -> None:
        self._length += updates
        self._size += size
        self._signed[LENGTH], self._signed[SIZE] = self._length, self._size

    def _remove_older(self, table: str, bound: bytes) -> None:
        """Remove the older updates of a table whose drop is last in line.

        The drop moves to the place of the first one removed, as any newer update would.
        """
        self._line, count, size = without_older(self._line, table, bound)
        self._words[DROPPED] += count
        self._weigh(-count, -size)
        self._unusual = unusual(self._line)

    def take(self, limit: int) -> Batch | None:
        """Take a batch of about `limit` updates off the head of the line; None when nothing waits.

        Groups are taken whole, with what was queued for them later. The same batch comes back until
        `applied` is called: what could not be applied is not lost.
        """
        if self._batch is None and self._line:
            panel = self._panel
            panel.length_max = max(panel.length_max, self._length)
            panel.size_max = max(panel.size_max, self._size)
            if self._length <= limit and not self._unusual:
                lanes = self._lanes.values()
                self._batch = take_all(self._line, lanes, self._place, self._length, self._size)
            else:
                self._batch, odd = take_some(self._line, limit, self._place)
                self._unusual -= odd
            panel.in_flight = self._batch.updates
        return self._batch

    def applied(self, batch: Batch, written_bytes: int, now_ns: int) -> int:
        """Say that a batch is in the store; return `applied_through`."""
        if batch is not self._batch:
            raise ValueError("this batch is not the one that was taken last")
        self._batch = None
        words, panel = self._words, self._panel
        words[ROLLED] += batch.updates - batch.writes
        self._written += batch.writes
        self._weigh(-batch.updates, -batch.size_bytes)
        panel.written, panel.in_flight = self._written, 0
        panel.batches += 1
        panel.written_bytes += written_bytes
        self._signed[APPLIED_THROUGH] = through = self.applied_through
        self.publish(now_ns)
        return through

    def publish(self, now_ns: int) -> None:
        """Bring what depends on time, and the latched records, up to date; once a second or so."""
        panel, place = self._panel, self._place
        oldest = (now_ns - self._oldest_arrival(now_ns)) / NANOSECONDS_PER_SECOND
        panel.oldest = oldest
        panel.backlog.publish(self._length, self._size, oldest)
        merged = panel.superseded, panel.stale, panel.dropped, panel.rolled
        panel.rules.publish(place, *merged, self._written, self._length)
        panel.avoided = sum(merged) / (sum(merged) + self._written or 1)
        panel.write_amplification = panel.written_bytes / (panel.offered_bytes or 1)

    def _oldest_arrival(self, now_ns: int) -> int:
        if self._batch:
            return self._batch.arrived_ns
        return self._line[0][3] if self._line else now_ns


def _missing(table: str) -> TableMissing:
    return TableMissing(f"there is no table {table!r}: create it first")
