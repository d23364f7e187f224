"""The intake: each datagram in, pieces for the spool and questions to the senders out. Pure.

It keeps a window for each stream, and for each node what it last reported. Who is asked for what is
missing is the sender itself while it is heard, and else the daemon of its node, which still has the
sender's ring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from isinglass import clock
from isinglass.wire.event_bodies import AGAIN, EVENTS, FIGURES, GONE, HEADER_BYTES, STATUS
from isinglass.wire.events import BadDatagram, EventDatagram
from isinglass.wire.seals import TAG_BYTES
from isinglass_monitor.ingest.drops import Drops
from isinglass_monitor.ingest.figures import FiguresOf
from isinglass_monitor.ingest.sender import Address, Sender
from isinglass_monitor.ingest.window import DISK, SHARE, Gap, Taken, Window
from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.spool.records import KEY, event_records, gap_record, node_number
from isinglass_monitor.spool.streams import LATE, LOST, RECEIVED, REPAIRED, StreamRecord
from isinglass_monitor.views import DAEMON, NodeView

SENDERS_LIMIT = 4096
CROWD_LIMIT = 2 * SENDERS_LIMIT  # between two looks, which forget those not heard longest
NODES_LIMIT = 1024
FORGET_NS = 600 * clock.NANOSECONDS_PER_SECOND
SILENT_NS = 3 * clock.NANOSECONDS_PER_SECOND
SPEAKS_FOR_NOBODY = ("client", "")  # "": its status, which says what it is, did not come yet
CROWDED = "crowded"

Question = tuple[Address, list[Any]]


class Intake:
    """Everything that the monitor knows of who sends; one thread uses it.

    Args:
        known: what the spool has of the streams, from an earlier run.
        has_room: tells whether a datagram of a stream may be taken in.
        stalled: tells whether the spool's disk does not get on.
    """

    def __init__(
        self,
        known: Mapping[int, StreamRecord],
        has_room: Callable[[int], bool],
        stalled: Callable[[], bool],
    ) -> None:
        self._known, self._has_room, self._stalled = known, has_room, stalled
        self.drops = Drops()
        self.senders: dict[int, Sender] = {}
        self._figures: dict[str, FiguresOf] = {}

    def resume(self, now_ns: int) -> None:
        """Go on with the streams of which the spool misses some events, also when they are over."""
        for stream in list(self._known.values()):
            if len(stream.settled) > 1 or list(stream.settled)[:1] > [(1, stream.settled.highest)]:
                self._sender(stream.stream, stream.node, stream.process, now_ns)

    # ---------------------------------------------------------------- datagrams
    def take(
        self, datagram: EventDatagram, data: bytes, address: Address, wall_ns: int, now_ns: int
    ) -> list[Piece]:
        """Take a genuine datagram in; return what is to be stored.

        Args:
            data: the whole datagram.
            address: whom it came from.
            wall_ns, now_ns: when it came, by the wall and by the monotonic clock.

        Raises:
            BadDatagram: CROWDED, there are too many senders.
        """
        kind, body = datagram.kind, datagram.body
        if kind == EVENTS:
            return self._events(datagram, data, address, wall_ns, now_ns)
        if kind == AGAIN:
            return self._again(body, len(data), wall_ns, now_ns)
        if kind == STATUS:
            return self._status(datagram, len(data), wall_ns, now_ns)
        if kind == FIGURES:
            self._take_figures(body)
        elif kind == GONE:
            stream, first, last = body
            if (sender := self.senders.get(stream)) is not None:
                sender.window.gone(first, last)
                return self._gaps(sender, wall_ns)
        return []

    def _sender(self, stream: int, node: str, process: str, now_ns: int) -> Sender:
        sender = self.senders.get(stream)
        if sender is None:
            if len(self.senders) >= CROWD_LIMIT:
                raise BadDatagram(CROWDED)
            window = self._window(stream)
            sender = self.senders[stream] = Sender(stream, node, process, window)
        sender.heard_ns = now_ns
        return sender

    def _window(self, stream: int) -> Window:
        """Return the window of a stream, which goes on where the spool ends."""
        known = self._known.get(stream)
        if known is None:
            return Window(self.drops.claim)
        lost = [(*pair, cause) for cause, intervals in known.lost.items() for pair in intervals]
        window = Window(self.drops.claim, known.settled, lost, known.stamp)
        counts = window.counts
        counts.received, counts.repaired = known.counts[RECEIVED], known.counts[REPAIRED]
        counts.late = known.counts[LATE]
        counts.lost.update(known.causes)
        return window

    def _events(
        self, datagram: EventDatagram, data: bytes, address: Address, wall_ns: int, now_ns: int
    ) -> list[Piece]:
        node, process, first, events = datagram.body
        sender = self._sender(datagram.stream, node, process, now_ns)
        window = sender.window
        if not sender.status_ns:
            sender.address = address
        window.counts.size_bytes += len(data)
        last, counter = first + len(events) - 1, datagram.counter
        packed = data[HEADER_BYTES:-TAG_BYTES]
        if not self._has_room(datagram.stream):
            cause = DISK if self._stalled() else SHARE
            window.refuse(counter, first, last, events[0][0], cause, now_ns)
            sender.refused += len(events)
            return self._gaps(sender, wall_ns)
        if window.next(counter, first, last):
            records = event_records(datagram.stream, datagram.body, packed, wall_ns)
            who = (datagram.stream, node, process)
            return [Piece(*who, RECEIVED, first, last, records, wall_ns, len(data))]
        taken = window.events(counter, first, last, events[0][0], now_ns)
        pieces = [
            self._piece(sender, part, datagram.body, packed, wall_ns, RECEIVED) for part in taken
        ]
        return pieces + self._gaps(sender, wall_ns) if window.has_given_up else pieces

    def _again(self, body: list[Any], size_bytes: int, wall_ns: int, now_ns: int) -> list[Piece]:
        stream, node, process, events = body
        sender = self.senders.get(stream)
        if sender is None or not self._has_room(stream):
            return []
        window, pieces = sender.window, []
        window.counts.size_bytes += size_bytes
        for first, run in _runs(events):
            last, stamp = first + len(run) - 1, run[0][0]
            for part in window.events(0, first, last, stamp, now_ns, again=True):
                told = [node, process, first, run]
                pieces.append(self._piece(sender, part, told, b"", wall_ns, REPAIRED))
        return pieces + self._gaps(sender, wall_ns)

    def _status(
        self, datagram: EventDatagram, size_bytes: int, wall_ns: int, now_ns: int
    ) -> list[Piece]:
        node, process, pid, role, address, port, last, oldest, refused, _, ended = datagram.body
        sender = self._sender(datagram.stream, node, process, now_ns)
        if ended and sender.status_ns and sender.address != (address, port):
            sender.bequeathed = True
        sender.pid, sender.role, sender.ended = pid, role, bool(ended)
        sender.address, sender.status_ns = (address, port), now_ns
        sender.window.counts.size_bytes += size_bytes
        stamp = datagram.stamp
        sender.window.announce(datagram.counter, last, oldest, refused, stamp, now_ns)
        return self._gaps(sender, wall_ns)

    def _take_figures(self, body: list[Any]) -> None:
        node, second, part, parts, rows = body
        if node not in self._figures and len(self._figures) >= NODES_LIMIT:
            return
        self._figures.setdefault(node, FiguresOf()).take(second, part, parts, rows)

    # ---------------------------------------------------------------- pieces
    def _piece(
        self, sender: Sender, part: Taken, body: list[Any], packed: bytes, wall_ns: int, how: str
    ) -> Piece:
        stream = sender.stream
        records = event_records(stream, body, packed, wall_ns, part.first, part.last)
        dropped = []
        for gap in part.undone:
            if gap.stamp:
                dropped.append(KEY.pack(gap.stamp, node_number(sender.node), stream, gap.first))
                records += [self._gap_record(sender, left, wall_ns) for left in part.left]
        return Piece(
            stream, sender.node, sender.process, how, part.first, part.last, records, wall_ns,
            len(packed), part.late, dropped, part.undone[0].cause if part.undone else "",
        )  # fmt: skip

    def _gap_record(self, sender: Sender, gap: Gap, wall_ns: int) -> Any:
        return gap_record(
            gap.stamp, sender.stream, sender.node, sender.process, gap.first, gap.last, gap.cause,
            wall_ns,
        )  # fmt: skip

    def _gaps(self, sender: Sender, wall_ns: int) -> list[Piece]:
        return [
            Piece(
                sender.stream, sender.node, sender.process, LOST, gap.first, gap.last,
                [self._gap_record(sender, gap, wall_ns)], wall_ns, cause=gap.cause,
            )
            for gap in sender.window.given_up()
        ]  # fmt: skip

    # ---------------------------------------------------------------- time
    def due(self, wall_ns: int, now_ns: int, *, ask: bool) -> tuple[list[Question], list[Piece]]:
        """Return whom to ask for what, and the gaps to store.

        Args:
            ask: there is room for the answers.
        """
        questions: list[Question] = []
        pieces: list[Piece] = []
        daemons: dict[str, Address] | None = None
        for sender in list(self.senders.values()):
            if not sender.window.holes:
                continue
            if daemons is None:
                daemons = self._daemons(now_ns)
            missing = sender.window.due(now_ns, ask=ask)
            pieces += self._gaps(sender, wall_ns)
            lives = not sender.ended and now_ns - sender.heard_ns < SILENT_NS
            to = sender.address if lives else daemons.get(sender.node, sender.address)
            if missing and to is not None:
                ranges = [number for interval in missing for number in interval]
                questions.append((to, [sender.stream, ranges]))
        return questions, pieces

    def _daemons(self, now_ns: int) -> dict[str, Address]:
        return {
            sender.node: sender.address
            for sender in self.senders.values()
            if sender.role == DAEMON
            and sender.address is not None
            and now_ns - sender.heard_ns < SILENT_NS
        }

    def forget(self, wall_ns: int, now_ns: int) -> tuple[list[Piece], list[Sender]]:
        """Forget who has been silent for long; return the gaps that this leaves, and who it is."""
        old = now_ns - FORGET_NS
        gone = [sender for sender in self.senders.values() if sender.heard_ns < old]
        if len(self.senders) - len(gone) > SENDERS_LIMIT:
            by_time = sorted(self.senders.values(), key=lambda sender: sender.heard_ns)
            gone = by_time[: len(by_time) - SENDERS_LIMIT]
        pieces = []
        for sender in gone:
            sender.window.give_up_all()
            pieces += self._gaps(sender, wall_ns)
            del self.senders[sender.stream]
        if gone:
            nodes = {sender.node for sender in self.senders.values()}
            self._figures = {n: figures for n, figures in self._figures.items() if n in nodes}
        return pieces, gone

    def views(self) -> dict[str, NodeView]:
        """Return each node that was heard in the last ten minutes, as it is now.

        What it is, when it was heard, and whether it said goodbye, its daemon decides; without
        one, the program that was heard last. Clients have a daemon, so they do not speak for their
        node: those of a killed daemon would hide its silence.
        """
        speaking: dict[str, Sender] = {}
        for sender in self.senders.values():
            if sender.role in SPEAKS_FOR_NOBODY or sender.bequeathed:
                continue
            known = speaking.get(sender.node)
            if known is None or _rank(sender) > _rank(known):
                speaking[sender.node] = sender
        empty: dict[str, float | str] = {}
        return {
            node: NodeView(
                node, sender.heard_ns, sender.role, sender.ended,
                self._figures[node].known if node in self._figures else empty,
            )
            for node, sender in speaking.items()
        }  # fmt: skip


def _rank(sender: Sender) -> tuple[bool, int]:
    return sender.role == DAEMON, sender.heard_ns


def _runs(events: list[Any]) -> list[tuple[int, list[Any]]]:
    """Split the events of AGAIN into runs of consecutive ones: first sequence, and the events."""
    runs: list[tuple[int, list[Any]]] = []
    following = 0
    for sequence, *event in events:
        if sequence != following:
            runs.append((sequence, []))
        runs[-1][1].append(event)
        following = sequence + 1
    return runs
