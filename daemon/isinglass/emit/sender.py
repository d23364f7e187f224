"""The thread that sends a process's events to the monitors; nobody ever waits for it.

    asleep ──an event wakes it──▶ looking each 5 ms ──0.1 s without events──▶ asleep

Asleep it lets the next event wake it (`glass/events`). While events come it looks into the ring by
itself, so that they cost their thread nothing more; an error wakes it at once. Each second it says
how far the stream is, and in the owner of a segment the node's figures; the owner also sends for
processes that do not (`relay`). Monitors ask it for what they miss (`answers`).

Everything it needs from outside, it can do without: no network, no key, no interface yet, or a
monitor that floods it, are shown in its panel and tried again, and events stay in the ring.
"""

from __future__ import annotations

import os
import threading

from isinglass import clock
from isinglass.emit.answers import Allowance, answer
from isinglass.emit.figures import figures_of
from isinglass.emit.panel import LogPanel
from isinglass.emit.relay import Relay
from isinglass.emit.rings import Numbered, OwnRing, events_of, process_of, runs
from isinglass.emit.stream import Note, Stream, Who
from isinglass.emit.target import Target
from isinglass.errors import ClusterError, SegmentError
from isinglass.glass.events import ERRORS, NEVER
from isinglass.glass.events import EVENTS as RING
from isinglass.glass.layout import RegionWord, Teller
from isinglass.glass.probe import mark
from isinglass.glass.reader import SegmentReader
from isinglass.glass.region import OWN
from isinglass.glass.severity import ERROR
from isinglass.wire.event_bodies import AGAIN, ASK, GONE, pack_again
from isinglass.wire.events import BadDatagram, EventOpener
from isinglass.wire.transport.events import sender_sockets
from isinglass.wire.transport.multicast import Address, GroupSockets

LOOK_SECONDS = 0.005
LINGER_NS = 100_000_000
RELAY_NS = 100_000_000
RETRY_SECONDS = 1.0
SECOND_NS = clock.NANOSECONDS_PER_SECOND
PAST_NS = 600 * SECOND_NS
ASKS_TOGETHER = 64
END_LIMIT_SECONDS = 2.0
EVERYTHING = 0


class Sender:
    """The thread; `end` ends it.

    Args:
        owner: this process made the node's segment: it tells the node's figures, and sends for
            others.
        past: the segment that the node's present one has replaced; it is closed here.
    """

    def __init__(
        self,
        target: Target,
        node: str,
        process: str,
        role: str,
        *,
        owner: bool = False,
        past: SegmentReader | None = None,
    ) -> None:
        self.target, self.node = target, node
        self._owner, self._panel = owner, LogPanel()
        self._who = Who(node, process, os.getpid(), role)
        self._ending = threading.Event()
        self._sockets: GroupSockets | None = None
        self._reader: SegmentReader | None = None
        self._past, self._relays = past, list[Relay]()
        if OWN.words[RegionWord.TELLER] == Teller.ENDED:
            RING.restart()
        self._ring = OwnRing()
        self._opener = EventOpener(target.cluster, target.key)
        self._allowance = Allowance()
        self._said, self._past_until = False, 0
        self._active_until = self._relay_due = now = clock.monotonic_ns()
        self._due = now + SECOND_NS
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    # ------------------------------------------------------------------ life
    def start(self) -> None:
        """Begin to send; from now on nobody else sends for this process."""
        OWN.words[RegionWord.TELLER] = Teller.ITSELF
        self._thread.start()

    def end(self) -> None:
        """Send what is left, say that the stream ends, and end the thread."""
        self._ending.set()
        if (sockets := self._sockets) is not None:
            sockets.wake()
        if self._thread is not threading.current_thread():
            self._thread.join(END_LIMIT_SECONDS)
        self._panel.release()

    def forget(self) -> None:
        """In a forked child: let go of the parent's sockets; its thread is not here."""
        self._let_go()
        self._panel.release()

    def _run(self) -> None:
        try:
            mark("opening the socket")
            while not self._open():
                mark.waiting("for the network")
                if self._ending.wait(RETRY_SECONDS):
                    return
            while not self._ending.is_set():
                try:
                    self._turn()
                except Exception as error:
                    # One event or one monitor must not silence a process for good.
                    self._failed(error)
            self._send_new()
            if self._said:
                self._say_status(ended=True)
            OWN.words[RegionWord.TELLER] = Teller.ENDED
        finally:
            RING.tell_nobody()
            self._let_go()

    def _failed(self, error: Exception) -> None:
        """Show a fault, leave out the events that it may come from, and go on after a while."""
        ERRORS.raised(error)
        self._panel.trouble = f"{type(error).__name__}: {error}"
        self._panel.overtaken += self._ring.skip()
        self._ending.wait(RETRY_SECONDS)

    def _open(self) -> bool:
        try:
            sockets = sender_sockets(self.target.group)
        except ClusterError as error:
            self._panel.trouble = str(error)
            return False
        self._panel.trouble = ""
        group = self.target.group
        self._panel.group = f"{group.group} {group.port} {sockets.address[0]}"
        words = OWN.words
        self._sockets, told = sockets, words[RegionWord.EVENTS_TOLD]
        sent, number = words[RegionWord.DATAGRAMS_TOLD], words[RegionWord.STREAM]
        self._stream = self._made(number, self._who, told, sent, _note)
        RING.tell_to(self._wake)
        return True

    def _made(self, number: int, who: Who, told: int, sent: int, note: Note) -> Stream:
        assert self._sockets is not None
        return Stream(self._sockets, self.target, number, who, told, sent, note, self._panel)

    def _let_go(self) -> None:
        for held in (*self._relays, self._reader, self._past, self._sockets):
            if held is not None:
                held.close()
        self._relays.clear()
        self._reader = self._past = self._sockets = None

    def _wake(self) -> None:
        # The thread that emits: once is enough until the sender has looked.
        RING.wake_from = NEVER
        if (sockets := self._sockets) is not None:
            sockets.wake()

    # ------------------------------------------------------------------ turns
    def _turn(self) -> None:
        """Send what has come; wait for more; do what is due."""
        sockets, now = self._sockets, clock.monotonic_ns()
        assert sockets is not None
        asleep = now >= self._active_until
        RING.wake_from = EVERYTHING if asleep else ERROR
        if self._send_new():
            self._active_until = now + LINGER_NS
            RING.wake_from, asleep = ERROR, False
        until = min(self._due, self._relay_due) if self._owner else self._due
        wait = max(until - now, 0) / clock.NANOSECONDS_PER_SECOND
        mark.waiting("for events")
        came = sockets.receive(ASKS_TOGETHER, wait if asleep else LOOK_SECONDS)
        mark("sending events")
        self._panel.wakes += RING.wake_from == NEVER
        now = clock.monotonic_ns()
        for data, address in came:
            self._asked(data, address, now)
        second = now >= self._due
        if second:
            self._due = now + SECOND_NS - (now - self._due) % SECOND_NS
            self._panel.trouble = ""  # what goes on is shown again within this turn
            self._say_status()
        if self._owner and (second or now >= self._relay_due):
            self._relay_due = now + RELAY_NS
            self._own_segment(now, second)

    def _send_new(self) -> bool:
        before = self._ring.told
        new = self._ring.take()
        for first, events in runs(new):
            self._said = True
            self._stream.tell(first, events)
        self._panel.events += len(new)
        self._panel.overtaken += self._ring.told - before - len(new)
        return bool(new)

    def _say_status(self, *, ended: bool = False) -> None:
        self._said = True
        self._stream.status(self._ring.told, self._ring.oldest(), ended=ended)

    def _own_segment(self, now_ns: int, second: bool) -> None:
        """Send for the other processes of the segment, and the node's figures."""
        try:
            if self._past is not None:
                self._relays.append(self._relay_of(self._past, past=True))
                self._past, self._past_until = None, now_ns + PAST_NS
            if not self._relays or self._relays[0].past:
                self._relays.insert(0, self._relay_of(SegmentReader(self.node)))
            if len(self._relays) > 1 and now_ns > self._past_until:
                self._relays.pop().close()
            for relay in self._relays:
                relay.turn(clock.wall_ns(), status=second)
            if second:
                wall_second = clock.wall_ns() // clock.NANOSECONDS_PER_SECOND
                self._stream.figures(wall_second, figures_of(self._relays[0].reader))
        except (SegmentError, OSError) as error:
            self._panel.trouble = str(error)

    def _relay_of(self, reader: SegmentReader, *, past: bool = False) -> Relay:
        return Relay(reader, self.node, self._made, self._panel, past=past)

    def _segments(self) -> list[SegmentReader]:
        """Return readers of the node's segments: the present one, and the one before."""
        if self._relays:
            return [relay.reader for relay in self._relays]
        if self._reader is not None and self._reader.replaced():
            self._reader.close()
            self._reader = None
        if self._reader is None:
            try:
                self._reader = SegmentReader(self.node)
            except SegmentError:
                return []
        return [self._reader]

    # ------------------------------------------------------------------ monitors that ask
    def _asked(self, data: bytes, address: Address, now_ns: int) -> None:
        try:
            found = self._opener.open(data)
        except BadDatagram:
            self._panel.bad += 1
            return
        if found.kind != ASK:
            self._panel.bad += 1
            return
        self._panel.asks += 1
        if not self._allowance.take(now_ns):
            self._panel.asks_held += 1
            return
        stream, ranges = found.body
        self._answer(address, stream, ranges)

    def _answer(self, address: Address, stream: int, ranges: list[int]) -> None:
        process = self._who.process
        if stream == self._stream.number:
            found = answer(self._ring.everything(), self._ring.told, ranges)
        else:
            other = self._other(stream)
            if other is None:
                return
            process, found = other[0], answer(other[1], other[2], ranges)
        for body in pack_again(stream, self.node, process, found.again):
            self._stream.answer(address, AGAIN, body)
        for first, last in found.gone:
            self._stream.answer(address, GONE, [stream, first, last])
            self._panel.gone += last - first + 1
        self._panel.again += len(found.again)

    def _other(self, stream: int) -> tuple[str, list[Numbered], int] | None:
        """Return another process's name, its events, and the number of its newest one."""
        for reader in self._segments():
            try:
                ring = next((ring for ring in reader.rings() if ring.stream == stream), None)
                process = process_of(reader, ring.slot, ring.claim) if ring else None
            except SegmentError:
                continue
            if ring is not None and process is not None:
                return process.name, list(events_of(process)), ring.events
        return None


def _note(told: int, sent: int) -> None:
    OWN.words[RegionWord.EVENTS_TOLD], OWN.words[RegionWord.DATAGRAMS_TOLD] = told, sent
