"""Receiving: puts the updates that other nodes send, or send again, in line, and keeps account.

Updates come in any order, any number of times, whole, in parts, or as the present state of their
record. Whatever way one comes, the account is the same: its number in its stream counts as received
once it stands in line, never before. What does not enter, because the queue is full or its table is
not known yet, was not received; it is known to exist, so it is asked for again.

    offered ──place──▶ journal, inbox: received          no place ──▶ known to exist, asked for

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from isinglass.errors import TableMissing
from isinglass.node.figures import Figures
from isinglass.node.outside import Outside, Shelf
from isinglass.node.vectors import Vectors
from isinglass.store.records import version_stamp
from isinglass.wire import bodies
from isinglass.wire.bodies import repairs_of, runs_of
from isinglass.wire.datagrams import Datagram
from isinglass.wire.journal import Journal, Name, note_run
from isinglass.wire.packing import PartBuffer
from isinglass.wire.streams import Inbox, StreamId


class Receiving:
    """What comes in datagrams, on its way into the queue.

    Attributes:
        on_repaired: told the table, the key and the stamp of a record that came as it is now.
    """

    def __init__(
        self, vectors: Vectors, journal: Journal, shelf: Shelf, outside: Outside, figures: Figures
    ) -> None:
        self._vectors, self._journal = vectors, journal
        self._shelf, self._outside, self._figures = shelf, outside, figures
        self.parts = PartBuffer()
        self.on_repaired: Callable[[str, bytes, int], None] | None = None

    def updates(self, datagram: Datagram) -> Inbox | None:
        """Take in updates of the sender's own stream; return its inbox."""
        stream = (datagram.origin, datagram.incarnation)
        inbox = self._vectors.inbox(stream)
        if inbox is None:
            return None
        entries = self._journal.open(stream, inbox.received + 1)
        known_last, duplicates = inbox.known_last, 0
        for first, table, pairs in runs_of(datagram.body):
            if first > known_last:
                self._run(inbox, entries, first, table, pairs)
                continue
            for place in range(0, len(pairs), 2):  # some of them came before
                number = first + place // 2
                if inbox.has(number):
                    duplicates += 1
                else:
                    self._run(inbox, entries, number, table, pairs[place : place + 2])
        if duplicates:
            self._figures.duplicates(stream[0], duplicates)
        self._journal.trim()
        return inbox

    def _run(
        self, inbox: Inbox, entries: dict[int, Name], first: int, table: str, pairs: list[bytes]
    ) -> None:
        """Take in updates that follow each other, of one table, none of which came before."""
        place, entered = self._offer(table, pairs)
        inbox.known_last = max(inbox.known_last, first + len(pairs) // 2 - 1)
        if entered:
            taken = pairs[: 2 * entered]
            note_run(entries, first, table, taken[::2])
            inbox.add(first, first + entered - 1, place)
            self._outside.observe(version_stamp(max(taken[1::2])))

    def _offer(self, table: str, pairs: Sequence[bytes]) -> tuple[int, int]:
        try:
            return self._shelf.offer_run(table, pairs)
        except TableMissing:
            return 0, 0  # its table comes by another stream; asked for again until then

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
        place, _ = self._offer(table, (key, record)) if record else (1, 1)
        if not place:
            return
        if record:
            stamp = version_stamp(record)
            self._outside.observe(stamp)
            if self.on_repaired is not None:
                self.on_repaired(table, key, stamp)
        else:
            place = self._shelf.last_place
        self._note(stream, inbox, fresh, (table, key), place)
        self._figures.cluster.repaired += len(fresh)

    def answered(
        self, stream: StreamId, number: int, table: str, key: bytes, record: bytes
    ) -> bool:
        """Take in what a primary stamped for a client of this node, unless it has come.

        It may be all that is ever heard of the update, when the primary is killed before it sends
        it to the others: so its number counts here as received, and the others ask this node.

        Returns:
            Whether it stands in line here; else it is still to come.
        """
        self._outside.observe(version_stamp(record))
        inbox = self._vectors.inboxes.get(stream)
        if inbox is None:
            return False
        if inbox.has(number):
            return True  # what has come may be deleted and forgotten already
        place, _ = self._offer(table, (key, record))
        if place:
            self._note(stream, inbox, [number], (table, key), place)
            self._journal.trim()
        return bool(place)

    def _note(
        self, stream: StreamId, inbox: Inbox, numbers: list[int], name: Name, place: int
    ) -> None:
        entries = self._journal.open(stream, inbox.received + 1)
        for number in numbers:
            entries[number] = name
            inbox.add(number, number, place)
