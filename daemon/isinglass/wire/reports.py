"""The heartbeat of a node, as the body of a STATE datagram: who it is, how it is, how far it is.

Every node sends one each 100 ms, and at once when something changed that others wait for. All that
a node knows of another one comes from here, so a lost one costs 100 ms and nothing else. The
vectors of more streams than fit into a datagram take turns; the sender's own always comes.

    [name, address, datagram port, stream port, phase, view, wall ms, horizon, backlog, limited by,
     limit, retired per busy second, demand, applied updates, life in which its store joined,
     [echo...], [vector entry...], [let go...], [forgotten...]]
    echo          [origin, sent_ns of its newest heartbeat, ns that it was held]
    vector entry  [origin, incarnation, received, taken, applied, kept, floor of the journal]
    let go        [origin, incarnation]: it keeps all streams up to this life, and reports none
    forgotten     [origin, incarnation]: lives that an operator took out of the cluster

Pure. About 70 bytes, and 40 for each stream.
"""

from __future__ import annotations

import math
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Any, NamedTuple

from isinglass.store.records import ORIGIN_LIMIT
from isinglass.wire.streams import StreamId

JOINING, HEALING, LIVE, LEAVING = range(4)
PHASES = ("joining", "healing", "live", "left")
LIMITS = ("", "entries", "bytes", "age")
VECTOR_LIMIT = 16
ECHO_LIMIT = 8
LET_GO_LIMIT = 8
FORGOTTEN_LIMIT = 8
NAME_LIMIT = 48  # characters
NOT_TO_GO = (1 << 64) - 1


class Progress(NamedTuple):
    """How far a node is with one stream; `floor` is the first number it can repair, 0: none.

    kept: what of it survives a power failure; NOT_TO_GO of a closed stream of which this node has
        more, above a gap: nobody may let go of it.
    """

    received: int
    taken: int
    applied: int
    kept: int
    floor: int


class Echo(NamedTuple):
    """The newest heartbeat of another node, sent back: for round trip and clock offset."""

    origin: int
    sent_ns: int
    held_ns: int


class Load(NamedTuple):
    """What flow control must know of a node."""

    backlog: float = 0.0  # share of the limit, the worst of its limits
    limited_by: int = 0  # which one, of LIMITS
    limit: float = 0.0  # how many updates would make it full, by that limit
    retired: float = 0.0  # updates per busy second
    demand: float = 0.0  # updates per second
    applied: int = 0  # updates that it has retired in all: whether it gets on


class Report(NamedTuple):
    """One heartbeat."""

    name: str
    address: str
    datagram_port: int
    stream_port: int
    phase: int
    view: int
    wall_ms: int
    horizon: int
    load: Load
    joined: int
    echoes: tuple[Echo, ...]
    vector: dict[StreamId, Progress]
    let_go: dict[int, int]
    forgotten: dict[int, int]

    def body(self) -> list[Any]:
        """Return the body of the datagram."""
        return [
            *self[:8],
            *self.load,
            self.joined,
            [list(echo) for echo in self.echoes],
            [[*stream, *progress] for stream, progress in self.vector.items()],
            [list(row) for row in self.let_go.items()],
            [list(row) for row in self.forgotten.items()],
        ]


_KINDS = (str, str, *[int] * 6, float, int, float, float, float, int, int, *[list] * 4)


def is_body(body: Any) -> bool:
    """Tell whether something is the body of a heartbeat."""
    if type(body) is not list or tuple(map(type, body)) != _KINDS:
        return False
    numbers = (*body[2:8], body[9], body[13], body[14])
    if min(numbers) < 0 or body[4] >= len(PHASES) or body[9] >= len(LIMITS):
        return False
    # A share or a rate that is not a number would spoil every sum that it enters.
    if not all(0 <= real < math.inf for real in (body[8], *body[10:13])):
        return False
    if not 0 < len(body[0]) <= NAME_LIMIT or not _is_address(body[1]) or max(body[2:4]) > 65_535:
        return False
    return all(map(_rows, body[15:], (3, 7, 2, 2)))


def report_of(body: list[Any]) -> Report:
    """Return the heartbeat in a body that `is_body`."""
    echoes, vector, let_go, forgotten = body[15:]
    parts = (
        *body[:8],
        Load(*body[8:14]),
        body[14],
        tuple(map(Echo._make, echoes)),
        {(row[0], row[1]): Progress._make(row[2:]) for row in vector},
        dict(let_go),
        dict(forgotten),
    )
    return Report._make(parts)


@lru_cache(maxsize=1024)
def _is_address(text: str) -> bool:
    """Tell whether a text is an IPv4 address, or nothing; a name would have to be looked up."""
    with suppress(ValueError):
        return text == "" or str(IPv4Address(text)) == text
    return False


def is_leaving(body: list[Any]) -> bool:
    """Tell whether a checked heartbeat is its node's last one."""
    return bool(body[4] == LEAVING)


def _rows(rows: list[Any], width: int) -> bool:
    """Tell whether all rows are lists of `width` numbers that are not negative, an origin first."""
    return all(
        type(row) is list
        and len(row) == width
        and all(type(number) is int and number >= 0 for number in row)
        and 0 < row[0] < ORIGIN_LIMIT
        for row in rows
    )
