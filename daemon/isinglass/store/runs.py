"""Runs: many plain updates of one table put in line at once, in the fewest steps.

Most updates come together, from a client's batch or in one datagram, into a table without groups in
which nothing counts. Their rules are then two comparisons, and the counters of the queue need to be
brought up to date once a run. The outcome is that of offering each by itself (`merge.offer`), which
tests/store/test_merge_outcome.py shows of both.

About 0.6 µs an update, where one by itself takes 1.2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from isinglass.store.lanes import Lane
from isinglass.store.line import Ticket
from isinglass.store.records import COUNTING, FLAGS


class Run(NamedTuple):
    """What a run did: how many entered, and what that adds to the queue's counts.

    full: there was no room for the next one.
    """

    entered: int
    added: int
    superseded: int
    stale: int
    grown_bytes: int
    offered_bytes: int
    full: bool


def is_plain(lane: Lane, pairs: Sequence[bytes]) -> bool:
    """Tell whether nothing in a lane, nor of these keys and records in turn, asks for more."""
    if lane.separator or lane.counts:
        return False
    return all(record[FLAGS] < COUNTING for record in pairs[1::2])


def enter(
    lane: Lane,
    line: deque[Ticket],
    pairs: Sequence[bytes],
    place: int,
    now_ns: int,
    room: int,
    room_bytes: int,
) -> Run:
    """Put the first of some keys and records, in turn, in line: those that there is room for.

    Args:
        place: of the newest update that entered before.
        room, room_bytes: how much the queue may grow.
    """
    records, floor = lane.records, lane.floor_bound
    first, added, superseded, stale, grown, offered, full = place, 0, 0, 0, 0, 0, False
    following = iter(pairs)
    for key, record in zip(following, following, strict=True):
        queued = records.get(key)
        size = len(key) + len(record)
        more = size if queued is None else len(record) - len(queued)
        if more > 0 and (grown + more > room_bytes or (queued is None and added >= room)):
            full = True
            break
        place += 1
        offered += size
        if record < (queued or floor) or record == queued:
            stale += 1
            continue
        records[key] = record
        grown += more
        if queued is None:
            added += 1
            line.append((place, lane, key, now_ns))
        else:
            superseded += 1
    return Run(place - first, added, superseded, stale, grown, offered, full)
