"""Receiving: puts the updates that other nodes send, or send again, in line, and keeps account.

Updates come in any order, any number of times, whole, in parts, or as the present state of their
record. Whatever way one comes, the account is the same: its number in its stream counts as received
once it stands in line, never before. What does not enter, because the queue is full or its table is
not known yet, was not received; it is known to exist, so it is asked for again.

    offered ──place──▶ journal, inbox: received          no place ──▶ known to exist, asked for

Pure.
"""

from __future__ import annotations

from isinglass.errors import TableMissing
from isinglass.node.figures import Figures
from isinglass.node.outside import Outside, Shelf
from isinglass.node.vectors import Vectors
from isinglass.store.records import version_stamp
from isinglass.wire import bodies
from isinglass.wire.bodies import repairs_of, updates_of
from isinglass.wire.datagrams import Datagram
from isinglass.wire.journal import Journal
from isinglass.wire.packing import PartBuffer
from isinglass.wire.streams import Inbox, StreamId


class Receiving:
    """What comes in datagrams, on its way into the queue."""

    def __init__(
        self, vectors: Vectors, journal: Journal, shelf: Shelf, outside: Outside, figures: Figures
    ) -> None:
        self._vectors, self._journal = vectors, journal
        self._shelf, self._outside, self._figures = shelf, outside, figures
        self.parts = PartBuffer()

    def updates(self, datagram: Datagram) -> Inbox | None:
        """Take in updates of the sender's own stream; return its inbox."""
        stream = (datagram.origin, datagram.incarnation)
        inbox = self._vectors.inbox(stream)
        if inbox is None:
            return None
        entries = self._journal.open(stream, inbox.received + 1)
        offer, known_last = self._shelf.offer, inbox.known_last
        newest = b""
        start, place, duplicates = 0, 0, 0
        number = 0
        for number, table, key, record in updates_of(datagram.body):
            entered = 0
            if number <= known_last and inbox.has(number):
                duplicates += 1
            else:
                try:
                    entered = offer(table, key, record)
                except TableMissing:
                    pass  # its table comes by another stream; asked for again until then
                if not entered:
                    inbox.known_last = max(inbox.known_last, number)
            if entered:
                entries[number] = (table, key)
                if record > newest:
                    newest = record
                start, place = start or number, entered
            elif start:
                inbox.add(start, number - 1, place)
                start = 0
        if start:
            inbox.add(start, number, place)
        if newest:
            self._outside.observe(version_stamp(newest))
        if duplicates:
            self._figures.duplicates(stream[0], duplicates)
        self._journal.trim()
        return inbox

    def _offer(self, table: str, key: bytes, record: bytes) -> int:
        try:
            return self._shelf.offer(table, key, record)
        except TableMissing:
            return 0  # its table comes by another stream; asked for again until then

    def urgent(self, datagram: Datagram) -> None:
        """Take in updates that somebody waits for, and say at once that they are here."""
        inbox = self.updates(datagram)
        if inbox is not None:
            stream = (datagram.origin, datagram.incarnation)
            self._outside.unicast(stream[0], bodies.ACK, [*stream, inbox.received])

    def part(self, datagram: Datagram) -> None:
        """Take in a part of a large update."""
        origin, incarnation, numbers = datagram.body[:3]
        inbox = self._vectors.inbox((origin, incarnation))
        if inbox is None or all(map(inbox.has, numbers)):
            return
        inbox.known_last = max(inbox.known_last, numbers[-1])
        whole = self.parts.add(datagram.body)
        if whole is not None:
            self._take_in((origin, incarnation), *whole[2])
            self._journal.trim()

    def repair(self, datagram: Datagram) -> None:
        """Take in the present state of records that updates of a stream had changed."""
        stream = (datagram.body[0], datagram.body[1])
        if stream == self._vectors.own:
            return
        for update in repairs_of(datagram.body):
            self._take_in(stream, *update)
        self._journal.trim()

    def _take_in(
        self, stream: StreamId, numbers: list[int], table: str, key: bytes, record: bytes
    ) -> None:
        """Take one record that stands for some numbers of a stream."""
        inbox = self._vectors.inbox(stream)
        fresh = [number for number in numbers if inbox is not None and not inbox.has(number)]
        if inbox is None or not fresh:
            return  # what it says may be older than what was forgotten since
        place = self._offer(table, key, record) if record else 1
        if not place:
            return
        if record:
            self._outside.observe(version_stamp(record))
        else:
            place = self._shelf.last_place
        entries = self._journal.open(stream, inbox.received + 1)
        for number in fresh:
            entries[number] = (table, key)
            inbox.add(number, number, place)
        self._figures.cluster.repaired += len(fresh)
