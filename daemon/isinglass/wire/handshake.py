"""How two nodes prove to each other that they belong to one cluster, before the first call.

Each has to make a tag over the other one's fresh random bytes and over all that both said of
themselves: the cluster, both names, numbers and lives, and the version. From the same come keys for
the two directions of this one connection, and with them a tag on every later frame over its place
in its direction: a frame that was changed, left out, moved, sent again or taken from another
connection ends the connection. What fails says so to the other side; that last word has no proof,
and does no more than choose the sentence that an operator reads.

    HELLO      ["isinglass calls", version, cluster, node, origin, incarnation, 16 random bytes]
               tag: keyed BLAKE2b of the body
    CHALLENGE  the same of the node that answers
               tag: keyed BLAKE2b of the bodies of HELLO and CHALLENGE
    PROOF      []
               tag: the same as that of CHALLENGE, as the caller
    refusal    ["refused", version, name of the error]      tag: BLAKE2b without a key
    later      tag: BLAKE2b with the key of the direction, of u64 1, 2, 3... and the body

A client of a node may call another node itself, as a *guest*, without the cluster's key: its node
gives it a key that is made of the cluster's and of the node's number and life, which any node can
make, too. Its greeting is its node's under the name GUEST_NAME, and all tags are made with that
key. The node that answers knows it for a guest, and answers only what guests may ask.

One end of a connection goes through MACHINE, from `awaiting` something to open, or to closed.

The purpose of each tag is BLAKE2b's `person`, so that none passes for another (the BLAKE2 paper,
section 2.8). The exchange is the three-pass mutual authentication of ISO/IEC 9798-4.
"""

from __future__ import annotations

import hashlib
import struct
from hmac import compare_digest
from typing import Any, NamedTuple

import msgpack

from isinglass import errors
from isinglass.store.records import ORIGIN_LIMIT
from isinglass.wire.bodies import INCARNATION_LIMIT
from isinglass.wire.datagrams import Identity, cluster_number
from isinglass.wire.machine import Machine
from isinglass.wire.messages import BadFrame

NAME, GUEST_NAME = "isinglass calls", "isinglass guest"
VERSION = 1
TAG_BYTES = 16
FRESH_BYTES = 16
NODE_LIMIT = 48  # characters of a node's name
CALLER, ANSWERER = "caller", "answerer"
OTHER = {CALLER: ANSWERER, ANSWERER: CALLER}
PROOF: bytes = msgpack.packb([])
_NUMBER = struct.Struct(">Q")
_GUEST = struct.Struct(">HQ")
_GREETING = [str, int, int, str, int, int, bytes]

AWAITING_HELLO, AWAITING_CHALLENGE = "awaiting HELLO", "awaiting CHALLENGE"
AWAITING_PROOF, OPEN, CLOSED = "awaiting PROOF", "open", "closed"
GREETED, CHALLENGED = "HELLO comes, CHALLENGE goes", "CHALLENGE comes, PROOF goes"
PROVED, ANYTHING_ELSE = "PROOF comes", "anything else comes"
MACHINE: Machine[str] = Machine(
    (AWAITING_HELLO, AWAITING_CHALLENGE),
    {
        (AWAITING_HELLO, GREETED): AWAITING_PROOF,
        (AWAITING_PROOF, PROVED): OPEN,
        (AWAITING_CHALLENGE, CHALLENGED): OPEN,
        (AWAITING_HELLO, ANYTHING_ELSE): CLOSED,
        (AWAITING_CHALLENGE, ANYTHING_ELSE): CLOSED,
        (AWAITING_PROOF, ANYTHING_ELSE): CLOSED,
        (OPEN, ANYTHING_ELSE): CLOSED,
    },
)

Tagged = tuple[bytes, bytes]  # a body and its tag


class Member(NamedTuple):
    """A node of the cluster, in one of its lives."""

    node: str
    origin: int
    incarnation: int


class HandshakeFailed(Exception):
    """The two nodes must not talk; `error` is the sentence for the operator of this one."""

    def __init__(self, reason: str, error: errors.ClusterError) -> None:
        super().__init__(str(error))
        self.reason, self.error = reason, error


def tag_of(key: bytes, purpose: str, *parts: bytes, size: int = TAG_BYTES) -> bytes:
    """Return the tag of some parts, in their order; `purpose` has at most 12 characters."""
    made = hashlib.blake2b(key=key, digest_size=size, person=f"isg {purpose}".encode())
    for part in parts:
        made.update(_NUMBER.pack(len(part)))  # so that no two lists of parts look alike
        made.update(part)
    return made.digest()


def guest_key(cluster_key: bytes, origin: int, incarnation: int) -> bytes:
    """Return the key of the guests of a node in one of its lives."""
    return tag_of(cluster_key, "guest", _GUEST.pack(origin, incarnation), size=32)


class Direction:
    """The tags of one direction of one connection, each used once."""

    __slots__ = ("_place", "_prepared")

    def __init__(self, key: bytes) -> None:
        self._prepared = hashlib.blake2b(key=key, digest_size=TAG_BYTES, person=b"isg frame")
        self._place = 0

    def tag(self, body: bytes) -> bytes:
        """Return the tag of the next frame."""
        self._place += 1
        made = self._prepared.copy()
        made.update(_NUMBER.pack(self._place))
        made.update(body)
        return made.digest()


class Handshake:
    """One end's part in it.

    Args:
        role: CALLER for the end that connected, else ANSWERER.
        own: this node's cluster, key, number and life; a guest's node's, with the guest's key.
        node: this node's name, or the guest's node's.
        fresh: 16 random bytes, never used before.
        guest: the caller is a guest.

    Attributes:
        peer: who the other side is, once it has said so; a guest's node.
        guest: whether the caller is a guest, once the caller has said so.
    """

    def __init__(
        self, role: str, own: Identity, node: str, fresh: bytes, *, guest: bool = False
    ) -> None:
        self._role, self._identity, self.guest = role, own, guest
        self._key = own.key
        self._own = Member(node, own.origin, own.incarnation)
        self.peer: Member | None = None
        name = GUEST_NAME if guest else NAME
        self._greeting: bytes = msgpack.packb(
            [name, VERSION, cluster_number(own.cluster), *self._own, fresh]
        )
        self._hello = self._challenge = self._greeting
        self.state = AWAITING_CHALLENGE if role == CALLER else AWAITING_HELLO
        self._takers = {
            AWAITING_HELLO: self._on_hello,
            AWAITING_CHALLENGE: self._on_challenge,
            AWAITING_PROOF: self._on_proof,
        }

    def first(self) -> Tagged | None:
        """Return what the caller says first."""
        if self._role == CALLER:
            return self._hello, self._tag("hello", self._hello)
        return None

    def take(self, body: bytes, tag: bytes) -> Tagged | None:
        """Take what the other side said; return what to say to it, if anything.

        Raises:
            HandshakeFailed: the other node is not one to talk to.
            BadFrame: that was no part of a handshake.
        """
        reply, event = self._takers[self.state](body, tag)
        self.step(event)
        return reply

    def step(self, event: str) -> None:
        """Follow an event of MACHINE."""
        self.state = MACHINE.after(self.state, event)

    def directions(self) -> tuple[Direction, Direction]:
        """Return the tags of what is sent and of what comes, once the handshake is done."""
        send, receive = (
            Direction(self._tag(f"from {role[:6]}", self._hello, self._challenge, size=32))
            for role in (self._role, OTHER[self._role])
        )
        return send, receive

    def refusal(self, failed: HandshakeFailed) -> Tagged:
        """Return the last word to the other side."""
        word = msgpack.packb(["refused", VERSION, type(failed.error).__name__])
        return word, tag_of(b"", "refusal", word)

    def _on_hello(self, body: bytes, tag: bytes) -> tuple[Tagged | None, str]:
        self._hello = body
        self.peer = self._member(body, tag, "hello", body)
        answer = self._tag(ANSWERER, self._hello, self._challenge)
        return (self._challenge, answer), GREETED

    def _on_challenge(self, body: bytes, tag: bytes) -> tuple[Tagged | None, str]:
        self._challenge = body
        self.peer = self._member(body, tag, ANSWERER, self._hello, body)
        return (PROOF, self._tag(CALLER, self._hello, self._challenge)), CHALLENGED

    def _on_proof(self, body: bytes, tag: bytes) -> tuple[Tagged | None, str]:
        if body != PROOF:
            raise BadFrame("no handshake", "a connection starts with a handshake")
        self._check(tag, CALLER, self._hello, self._challenge)
        return None, PROVED

    def _tag(self, purpose: str, *parts: bytes, size: int = TAG_BYTES) -> bytes:
        return tag_of(self._key, purpose, *parts, size=size)

    def _check(self, tag: bytes, purpose: str, *parts: bytes) -> None:
        if not compare_digest(tag, self._tag(purpose, *parts)):
            raise self._failed("bad tag", errors.WrongClusterKey)

    def _member(self, body: bytes, tag: bytes, purpose: str, *parts: bytes) -> Member:
        """Return who greets, if its greeting is genuine and it is one to talk to."""
        said = self._greeting_of(body)
        if said[1] != VERSION:
            raise self._failed("wrong version", errors.WrongClusterVersion, said[1])
        if [type(word) for word in said] != _GREETING or len(said[6]) != FRESH_BYTES:
            raise BadFrame("malformed", "a greeting has other words")
        member = Member(*said[3:6])
        if not (0 < member.origin < ORIGIN_LIMIT and 0 <= member.incarnation < INCARNATION_LIMIT):
            raise BadFrame("malformed", "a greeting's numbers cannot be")
        if not 1 <= len(member.node) <= NODE_LIMIT:
            raise BadFrame("malformed", "a greeting's name cannot be")
        if said[2] != cluster_number(self._identity.cluster):
            raise self._failed("wrong cluster", errors.WrongCluster)
        if said[0] == GUEST_NAME:
            self.guest = True
            self._key = guest_key(self._identity.key, member.origin, member.incarnation)
        self._check(tag, purpose, *parts)
        if member.node == self._own.node or member.origin == self._own.origin:
            raise self._failed("duplicate node", errors.DuplicateNode)
        return member

    def _greeting_of(self, body: bytes) -> list[Any]:
        try:
            said = msgpack.unpackb(body)
        except Exception as error:  # arbitrary input: see messages.Requests
            raise BadFrame("malformed", "a greeting is not msgpack") from error
        if type(said) is list and len(said) >= 3 and type(said[1]) is int:
            if said[0] == NAME or (said[0] == GUEST_NAME and self.state == AWAITING_HELLO):
                return said
            if said[0] == "refused":
                raise self._was_refused(said[2], said[1])
        raise BadFrame("no handshake", "a connection starts with a handshake")

    def _was_refused(self, name: object, version: int) -> HandshakeFailed:
        for kind in SENTENCES:
            if name == kind.__name__:
                return self._failed("refused", kind, version)
        return HandshakeFailed("refused", errors.ClusterError(REFUSED))

    def _failed(
        self, reason: str, kind: type[errors.ClusterError], other: int = VERSION
    ) -> HandshakeFailed:
        sentence = SENTENCES[kind].format(
            node=self._own.node,
            origin=self._own.origin,
            cluster=self._identity.cluster,
            version=VERSION,
            other=other,
        )
        return HandshakeFailed(reason, kind(sentence))


REFUSED = "the other node refuses to talk to this one: look at its events, it says why"
SENTENCES: dict[type[errors.ClusterError], str] = {
    errors.WrongClusterKey: (
        "the other node was not given this cluster's key: give all nodes of {cluster} the same file"
        " as cluster_key_file"
    ),
    errors.WrongClusterVersion: (
        "the other node speaks version {other} of the cluster's protocol, this one {version}:"
        " install the same release of isinglass on both"
    ),
    errors.WrongCluster: (
        "the other node does not belong to the cluster {cluster}: give it the same `cluster`, or"
        " each cluster a multicast_port of its own"
    ),
    errors.DuplicateNode: (
        "another node has this node's name, {node}, or its number, {origin}: give one of the two"
        " another name, or another origin_number"
    ),
}
