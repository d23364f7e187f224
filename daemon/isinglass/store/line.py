"""The line of the queue: the tickets that wait in it, and how a batch is taken off its head.

A ticket stands for one write: a record, a whole storage group, or a change of a table. What it
writes lies in its owner, so an update that merges into a waiting one changes no ticket, and keeps
its place.

A ticket has four words, (place, owner, group, arrival): the owner is the table's `Lane`, or a
`CreateTable` or `DropTable`, whose group is empty; the arrival is in monotonic nanoseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from isinglass.store.changes import CreateTable, DropTable, Step, Writes
from isinglass.store.lanes import Lane

TABLE_CHANGE_BYTES = 256  # what a create or drop counts against the limit

Ticket = tuple[int, Lane | CreateTable | DropTable, bytes, int]


class Batch(NamedTuple):
    """What `take` hands out: steps for the store, in order.

    first_place: everything before it is applied. through: everything up to it is, once this batch
    is. updates, size_bytes: what it takes off the backlog. writes: groups and table changes.
    arrived_ns: when its oldest update was offered.
    """

    steps: list[Step]
    first_place: int
    through: int
    updates: int
    writes: int
    size_bytes: int
    arrived_ns: int


def take_all(
    line: deque[Ticket], lanes: Iterable[Lane], newest: int, updates: int, size_bytes: int
) -> Batch:
    """Return a batch of everything that waits, which is records of open lanes alone.

    Args:
        newest: the place of the newest update that entered.
        updates, size_bytes: the whole backlog.
    """
    steps: list[Step] = []
    for lane in lanes:
        if lane.records or lane.groups:
            steps.append(Writes(lane.name, lane.records, lane.groups, lane.separator))
            lane.records, lane.groups = {}, {}
    first = line[0]
    batch = Batch(steps, first[0], newest, updates, len(line), size_bytes, first[3])
    line.clear()
    return batch


def take_some(line: deque[Ticket], limit: int, newest: int) -> tuple[Batch, int]:
    """Return a batch of about `limit` updates off the head of the line; groups are taken whole.

    The number beside it is how many of its tickets are `unusual`.
    """
    first = line[0]
    steps: list[Step] = []
    run: dict[int, tuple[dict[bytes, bytes], dict[bytes, dict[bytes, bytes]]]] = {}
    updates = writes = size = odd = 0
    while line and updates < limit:
        _, owner, group, _ = line.popleft()
        writes += 1
        if not isinstance(owner, Lane):
            steps.append(owner)
            run = {}
            updates, size, odd = updates + 1, size + TABLE_CHANGE_BYTES, odd + 1
            continue
        odd += owner.sealed
        mine = run.get(id(owner))
        if mine is None:
            mine = run[id(owner)] = ({}, {})
            steps.append(Writes(owner.name, *mine, owner.separator))
        if owner.separator:
            members = mine[1][group] = owner.groups.pop(group)
            if owner.sealed:
                owner.taken(members)
            updates += len(members)
            size += sum(map(len, members)) + sum(map(len, members.values()))
        else:
            record = mine[0][group] = owner.records.pop(group)
            if owner.sealed:
                owner.taken((group,))
            updates += 1
            size += len(group) + len(record)
    through = line[0][0] - 1 if line else newest
    return Batch(steps, first[0], through, updates, writes, size, first[3]), odd


def without_older(line: deque[Ticket], table: str, bound: bytes) -> tuple[deque[Ticket], int, int]:
    """Remove the older updates of a table whose drop is last in line, which takes their place.

    Returns:
        The line without them, how many there were, and their bytes.
    """
    drop = line.pop()
    hit: dict[int, set[bytes]] = {}
    removed = removed_bytes = 0
    for _, owner, _, _ in line:
        if isinstance(owner, Lane) and owner.name == table and id(owner) not in hit:
            hit[id(owner)], count, size = owner.remove_older(bound)
            removed, removed_bytes = removed + count, removed_bytes + size
    return deque(_with_drop(line, drop, hit)), removed, removed_bytes


def _with_drop(
    line: Iterable[Ticket], drop: Ticket, hit: dict[int, set[bytes]]
) -> Iterator[Ticket]:
    """Yield what still waits, with the drop in the place of the first ticket that it removed from.

    Args:
        hit: by the identity of a lane, the keys or groups that the drop removed something from.
    """
    waits = True
    for ticket in line:
        place, owner, group, arrived = ticket
        if waits and group in hit.get(id(owner), ()):
            yield (place, drop[1], b"", arrived)
            waits = False
        if not isinstance(owner, Lane) or group in owner.records or group in owner.groups:
            yield ticket
    if waits:
        yield drop


def unusual(line: Iterable[Ticket]) -> int:
    """Count the tickets of table changes and sealed lanes, which keep a batch from being all."""
    return sum(not isinstance(owner, Lane) or owner.sealed for _, owner, _, _ in line)
