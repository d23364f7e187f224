"""Datagrams between the nodes of a cluster, as bytes: sealed by their sender, opened by the others.

A datagram is never longer than 1,400 bytes, so that no network cuts it into fragments. Each carries
a tag made with the cluster's key over all before it. What is not genuine, came before, or is of an
earlier life of its sender is a `BadDatagram` with one of REASONS, which the node counts.
A cluster without a key has the same tag without the secret: it finds damage, not malice. A receiver
knows nothing of what was sent before it started: until it hears a sender's present life, a recorded
earlier one passes. An old update changes nothing that is newer; what else follows is among the
known limits in docs/protocol.md.

    0    2 bytes  "IG"
    2    u8   version of the protocol, 1
    3    u8   kind (wire/bodies); 128 is added in a datagram to one node instead of to all
    4    u64  cluster: BLAKE2b of its name, 8 bytes
    12   u16  origin: the number of the node that sends
    14   u64  incarnation: which life of it, greater than each before
    22   u64  counter: 1, 2, 3... in a life; one row for datagrams to all, one for those to one node
    30   u64  sent: nanoseconds of the sender's monotonic clock
    38   ...  body, msgpack, at most 1,346 bytes
    -16  16 bytes  tag: keyed BLAKE2b (RFC 7693) of all before it

All numbers are big-endian. The rows of numbers are two because the two sorts come through two
sockets, and a datagram that overtook a full buffer would make that buffer look like a replay; and
because only the row that everybody hears shows by its gaps what the network lost.
"""

from __future__ import annotations

import hashlib
import struct
from itertools import count
from typing import Any, NamedTuple

from isinglass.wire import reports
from isinglass.wire.bodies import STATE, BadDatagram, malformed, parse
from isinglass.wire.replay import ReplayWindow
from isinglass.wire.seals import DATAGRAM_LIMIT, TAG_BYTES, Seal, packed_body

MAGIC = b"IG"
VERSION = 1
HEADER = struct.Struct(">2sBBQHQQQ")
SORT = b"isinglass udp"
BODY_LIMIT = DATAGRAM_LIMIT - HEADER.size - TAG_BYTES
TO_ONE = 0x80  # added to the kind
SENDERS_LIMIT = 256
# An earlier life of this node itself whose new datagrams span this much of its sender's time is
# no echo in the network: another node uses this one's number.
ALIVE_NS = 1_000_000_000
# As long as until a member is down (wire/membership); a busy machine stands still for less.
PROBATION_NS = 2_000_000_000


class Identity(NamedTuple):
    """Who sends: the cluster's name and key (empty: no key), the node's number, and its life."""

    cluster: str
    key: bytes
    origin: int
    incarnation: int


class Datagram(NamedTuple):
    """A genuine datagram; `body` is checked, and is what its kind says in `wire/bodies`."""

    kind: int
    origin: int
    incarnation: int
    counter: int
    sent_ns: int
    body: Any


def cluster_number(name: str) -> int:
    """Return the number that stands for a cluster's name in its datagrams."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def origin_number(node: str) -> int:
    """Return the number of a node in the versions of records, 1 to 65,535, made from its name."""
    digest = hashlib.blake2b(node.encode(), digest_size=8, person=b"isinglass origin")
    return int.from_bytes(digest.digest(), "big") % 65_535 + 1


class Sealer:
    """Makes the datagrams of one life of a node; any thread may use it."""

    __slots__ = ("_incarnation", "_next", "_origin", "_seal", "_start")

    def __init__(self, identity: Identity) -> None:
        self._start = cluster_number(identity.cluster)
        self._origin, self._incarnation = identity.origin, identity.incarnation
        self._seal = Seal(identity.key, SORT)
        # next() of a count is one step of the interpreter: no two threads draw the same number.
        self._next = {0: count(1), TO_ONE: count(1)}

    def seal(self, kind: int, body: list[Any] | dict[str, Any] | bytes, sent_ns: int) -> bytes:
        """Return the datagram; `body` is to be packed, or packed already.

        Args:
            kind: of `wire/bodies`, with TO_ONE added when it is not for all nodes.
            sent_ns: the monotonic clock.

        Raises:
            ValueError: the body is longer than BODY_LIMIT.
        """
        packed = packed_body(body, BODY_LIMIT)
        counter = next(self._next[kind & TO_ONE])
        header = HEADER.pack(
            MAGIC, VERSION, kind, self._start, self._origin, self._incarnation, counter, sent_ns
        )
        return self._seal.put(header, packed)


class _Sender:
    """One life of one node, as far as it was heard."""

    __slots__ = ("first_sent_ns", "heard_ns", "incarnation", "windows")

    def __init__(self, incarnation: int, sent_ns: int, heard_ns: int) -> None:
        self.incarnation, self.first_sent_ns, self.heard_ns = incarnation, sent_ns, heard_ns
        self.windows = {False: ReplayWindow(), True: ReplayWindow()}


class Opener:
    """Opens the datagrams that one node receives; one thread uses it."""

    def __init__(self, cluster: str, key: bytes, own_origin: int, own_incarnation: int) -> None:
        self._cluster = cluster_number(cluster)
        self._seal = Seal(key, SORT)
        self._own = (own_origin, own_incarnation)
        self._senders: dict[int, _Sender] = {}

    def open(self, data: bytes, now_ns: int = 0) -> Datagram | None:
        """Return what a datagram says; None for one of this node's own, which came back.

        Args:
            now_ns: this node's monotonic clock. A later life is believed once the earlier one has
                left, or been silent for PROBATION_NS, so that nobody who takes a member's name
                shuts it out.

        Raises:
            BadDatagram: it is none for this node; says why.
        """
        size = len(data)
        if not HEADER.size + TAG_BYTES <= size <= DATAGRAM_LIMIT:
            malformed()
        magic, version, kind, cluster, origin, incarnation, counter, sent_ns = HEADER.unpack_from(
            data
        )
        if magic != MAGIC:
            malformed()
        if version != VERSION:
            raise BadDatagram("wrong_version", number=version)
        if cluster != self._cluster:
            raise BadDatagram("wrong_cluster")
        if (origin, incarnation) == self._own:
            return None
        self._seal.check(data)
        to_one = kind >= TO_ONE
        self._admit(origin, incarnation, counter, sent_ns, to_one, now_ns)
        kind &= ~TO_ONE
        body = parse(kind, data[HEADER.size : -TAG_BYTES])
        if kind == STATE and reports.is_leaving(body):
            self._senders[origin].heard_ns = now_ns - PROBATION_NS
        return Datagram(kind, origin, incarnation, counter, sent_ns, body)

    def _admit(
        self,
        origin: int,
        incarnation: int,
        counter: int,
        sent_ns: int,
        to_one: bool,
        now_ns: int,
    ) -> None:
        """Let a genuine datagram in, once, if its sender's life is the newest one heard."""
        sender = self._senders.get(origin)
        if sender is None or incarnation > sender.incarnation:
            if not origin:
                malformed()
            if sender is not None and now_ns - sender.heard_ns < PROBATION_NS:
                raise BadDatagram("duplicate_node", origin, incarnation)
            sender = self._heard(origin, _Sender(incarnation, sent_ns, now_ns))
        elif incarnation < sender.incarnation:
            raise BadDatagram("old_life")
        if not sender.windows[to_one].take(counter):
            raise BadDatagram("replayed")
        sender.heard_ns = now_ns
        if origin == self._own[0]:
            alive = sent_ns - sender.first_sent_ns >= ALIVE_NS
            later = incarnation > self._own[1]
            reason = "duplicate_node" if alive or later else "old_life"
            raise BadDatagram(reason, origin, incarnation)

    def _heard(self, origin: int, sender: _Sender) -> _Sender:
        """Remember a life that was not heard before; the sender known longest makes room."""
        self._senders.pop(origin, None)
        if len(self._senders) >= SENDERS_LIMIT:
            del self._senders[next(iter(self._senders))]
        self._senders[origin] = sender
        return sender

    def lost(self, origin: int) -> int:
        """Return how many datagrams to all of that node's present life did not come, so far."""
        sender = self._senders.get(origin)
        return sender.windows[False].missing if sender else 0
