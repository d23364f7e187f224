"""The roster: who the members are, as the store has noted them, and as their heartbeats say.

A heartbeat is taken over when it is newer than the last one of its sender, and of a store that is
not out of the cluster (see `wire/membership`). Of the own node others may say two things that only
its daemon can mend: that its store is *forgotten*, and must be moved aside; and that a later life
of it was seen (`outlived`), as when its disk was lost and its clock set back: others do not listen
to an earlier life, so it must start again with a greater incarnation.

    note  b"m"                ->  [own name, life in which this store joined]
          b"m" origin u16     ->  [name, incarnation, life in which it joined]
          b"m" origin u16     ->  ["", last life that is out]: forgotten

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgpack

from isinglass.node.figures import Figures
from isinglass.node.outside import Outside, Self
from isinglass.node.vectors import Vectors
from isinglass.wire.datagrams import Datagram
from isinglass.wire.membership import DEAF, Member, Membership
from isinglass.wire.reports import Report

MEMBER_NOTE = b"m"


def _key(origin: int) -> bytes:
    return MEMBER_NOTE + origin.to_bytes(2, "big")


class Roster:
    """The members of a cluster, this node's own standing included.

    Args:
        notes: what the store has noted.

    Attributes:
        fresh: this store was never part of the cluster.
        joined: the life in which it became part, or will.
        forgotten: it is out of the cluster: it must be moved aside, and the node join anew.
        outlived: a life of this node, its own or greater, that the next one must be greater than.
        unnoted: what is to be noted with the next batch.
    """

    def __init__(
        self,
        me: Self,
        members: Membership,
        vectors: Vectors,
        notes: Mapping[bytes, bytes],
        outside: Outside,
        figures: Figures,
    ) -> None:
        self._me, self._members, self._vectors = me, members, vectors
        self._outside, self._figures = outside, figures
        self.unnoted: dict[bytes, bytes] = {}
        self.forgotten, self.outlived = False, 0
        self.fresh, self.joined = MEMBER_NOTE not in notes, me.incarnation
        if not self.fresh:
            _, self.joined = msgpack.unpackb(notes[MEMBER_NOTE])
        for key, value in notes.items():
            if key[:1] == MEMBER_NOTE and len(key) > 1:
                self._remember(int.from_bytes(key[1:], "big"), *msgpack.unpackb(value))

    def _remember(self, origin: int, name: str, incarnation: int, joined: int = 0) -> None:
        if name:
            self._members.know(name, origin, incarnation, joined)
            self._vectors.saw_life(origin, incarnation)
        else:
            self._members.forgotten[origin] = incarnation

    def join(self) -> None:
        """Note that this store is part of the cluster from now on."""
        if self.fresh:
            self.fresh = False
            self.unnoted[MEMBER_NOTE] = msgpack.packb([self._me.name, self.joined])

    def noted(self, noted: Mapping[bytes, bytes]) -> None:
        """Take off the list what was noted."""
        for key, value in noted.items():
            if self.unnoted.get(key) == value:
                del self.unnoted[key]

    # ------------------------------------------------------------------ heartbeats
    def speaks(self, origin: int, incarnation: int) -> bool:
        """Tell whether a life of a node is that of a member, as its heartbeats said."""
        member = self._members.members.get(origin)
        return member is not None and member.incarnation == incarnation

    def met(self, origin: int, incarnation: int) -> None:
        """Report from now on a life of a member that no heartbeat told of.

        An earlier one is not listened to any more, and must learn why when it comes back.
        """
        if origin in self._members.members:
            self._vectors.inbox((origin, incarnation))

    def hear(self, datagram: Datagram, report: Report, now_ns: int) -> Member | None:
        """Take over a heartbeat; return the member, or None when it does not count."""
        self._hear_forgotten(report)
        origin, incarnation = datagram.origin, datagram.incarnation
        if self._members.is_forgotten(origin, report.joined):
            return None
        known = self._members.members.get(origin)
        if known is not None:
            if incarnation < known.incarnation:
                self._vectors.inbox((origin, known.incarnation))  # it must learn of the later one
                return None
            if incarnation == known.incarnation and datagram.sent_ns <= known.sent_ns:
                return None  # overtaken by a newer one
            if known.name != report.name:
                self._figures.network.duplicate_node += 1
                return None
        if known is None or (known.incarnation, known.joined) != (incarnation, report.joined):
            self.unnoted[_key(origin)] = msgpack.packb([report.name, incarnation, report.joined])
        member = self._members.know(report.name, origin, incarnation, report.joined)
        member.hear(report, incarnation, datagram.sent_ns, now_ns)
        self._vectors.saw_life(origin, incarnation)
        self._outside.observe(report.horizon)
        for echo in report.echoes:
            if echo.origin == self._me.origin:
                member.measure(echo, self._outside.wall_ms(), now_ns)
        return member

    def _hear_forgotten(self, report: Report) -> None:
        own = self._me.origin
        if report.forgotten.get(own, 0) >= self.joined:
            self.forgotten = True
        for origin, life in report.forgotten.items():
            if origin != own and not self._members.is_forgotten(origin, life):
                self.forget(origin, life)
        lives = [life for origin, life in report.vector if origin == own]
        lives += [report.let_go.get(own, 0) + 1, report.forgotten.get(own, 0) + 1]
        if (latest := max(lives)) > self._me.incarnation:
            self.outlived = max(self.outlived, latest)

    # ------------------------------------------------------------------ the operator
    def forget(self, origin: int, life: int = 0) -> None:
        """Take a node out of the cluster, here and, by heartbeats, everywhere.

        Args:
            life: what joined in this life or before is out; 0: in any that is known of.
        """
        life = life or self._vectors.newest_life(origin)
        out = self._members.forget(origin, life)
        self.unnoted[_key(origin)] = msgpack.packb(["", out])
        if origin not in self._members.members:
            self._figures.forget(origin)
            self._vectors.life_ended(origin)

    def was_deaf(self) -> None:
        """This process stood still: what it knows of the others is old."""
        for member in self._members.members.values():
            member.step(DEAF)
