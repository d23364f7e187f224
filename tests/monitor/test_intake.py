"""The intake between real datagrams and pieces for the spool: accounts, fair shares, questions."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass import clock
from isinglass.wire.event_bodies import (
    AGAIN,
    EVENTS,
    FIGURES,
    GONE,
    STATUS,
    Figures,
    WireEvent,
    pack_again,
    pack_events,
    pack_figures,
)
from isinglass.wire.events import BadDatagram, EventOpener, EventSealer
from isinglass_monitor.ingest import backlog as backlogs
from isinglass_monitor.ingest import intake as intakes
from isinglass_monitor.ingest.backlog import Backlog
from isinglass_monitor.ingest.figures import FiguresOf
from isinglass_monitor.ingest.intake import FORGET_NS, Intake, Question
from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.spool.records import entries
from isinglass_monitor.spool.streams import LOST, StreamRecord
from monitor.spooled import MILLISECOND, NOW, NOW_NS, answer, event, opened

KEY = b"k" * 32
ADDRESS = ("10.0.0.1", 7000)
SECOND_NS = clock.NANOSECONDS_PER_SECOND


class Process:
    """A process that sends, with a ring that forgets."""

    def __init__(self, stream: int, node: str = "oak", role: str = "daemon", ring: int = 100):
        self.stream, self.node, self.role, self.ring = stream, node, role, ring
        self.sealer = EventSealer("c", KEY, stream)
        self.address = ADDRESS
        self.told: list[WireEvent] = []

    def log(self, count: int, message: str = "hello") -> bytes:
        """Log events; return the datagram that tells them."""
        first = len(self.told) + 1
        new = [event(NOW + (first + at) * MILLISECOND, message=message) for at in range(count)]
        self.told += new
        (body,) = pack_events(self.node, self.role, first, new)
        return self.sealer.seal(EVENTS, body, NOW)

    @property
    def oldest(self) -> int:
        """The number of the oldest event in the ring."""
        return max(len(self.told) - self.ring + 1, 1)

    def status(self, ended: int = 0) -> bytes:
        """Return the status datagram."""
        numbers = [len(self.told), self.oldest, 0, 0, ended]
        body = [self.node, self.role, 7, self.role, *self.address, *numbers]
        return self.sealer.seal(STATUS, body, NOW)

    def answer(self, ranges: list[int]) -> list[bytes]:
        """Return the datagrams that answer a question."""
        found, gone = [], []
        for first, last in zip(ranges[::2], ranges[1::2], strict=True):
            if first < self.oldest:
                gone.append((first, min(last, self.oldest - 1)))
            present = range(max(first, self.oldest), last + 1)
            found += [(number, self.told[number - 1]) for number in present]
        bodies = pack_again(self.stream, self.node, self.role, found)
        return [self.sealer.seal(AGAIN, body, NOW) for body in bodies] + [
            self.sealer.seal(GONE, [self.stream, first, last], NOW) for first, last in gone
        ]


class Taking:
    """An intake with what it gave to be stored."""

    def __init__(self, room: bool = True) -> None:
        self.room = room
        self.known: dict[int, StreamRecord] = {}
        self.intake = Intake(self.known, lambda _: self.room, lambda: False)
        self.opener = EventOpener("c", KEY)
        self.pieces: list[Piece] = []
        self.now_ns = SECOND_NS

    def take(self, *datagrams: bytes) -> None:
        for data in datagrams:
            self.pieces += self.intake.take(
                self.opener.open(data), data, ADDRESS, NOW_NS, self.now_ns
            )

    def due(self, seconds: float = 0.3, ask: bool = True) -> list[Question]:
        self.now_ns += int(seconds * SECOND_NS)
        questions, pieces = self.intake.due(NOW_NS, self.now_ns, ask=ask)
        self.pieces += pieces
        return questions

    def numbers(self, stream: int) -> list[int]:
        """Return the sequences of a stream that were given to be stored, sorted."""
        return sorted(
            number
            for piece in self.pieces
            if piece.stream == stream and piece.how != LOST
            for number in range(piece.first, piece.last + 1)
        )


def test_what_is_missing_is_asked_and_stored_once() -> None:
    taking, process = Taking(), Process(5)
    first, _, third = process.log(3), process.log(3), process.log(3)
    taking.take(first, third)
    assert taking.numbers(5) == [1, 2, 3, 7, 8, 9]
    assert taking.due() == [(ADDRESS, [5, [4, 6]])]
    taking.take(*process.answer([4, 6]))
    taking.take(*process.answer([4, 6]))
    assert taking.numbers(5) == list(range(1, 10))
    counts = taking.intake.senders[5].window.counts
    assert (counts.received, counts.repaired, counts.duplicate) == (6, 3, 3)


def test_a_late_monitor_has_what_the_ring_has_and_says_what_not(tmp_path: Path) -> None:
    taking, process = Taking(), Process(5, ring=4)
    for _ in range(4):
        process.log(3)
    taking.take(process.status())
    assert taking.due() == [(ADDRESS, [5, [9, 12]])]
    taking.take(*process.answer([9, 12]))
    (gap,) = [piece for piece in taking.pieces if piece.how == LOST]
    assert (gap.first, gap.last) == (1, 8)
    writer = opened(tmp_path)
    writer.commit(taking.pieces, NOW_NS)
    assert list(writer.streams[5].settled) == [(1, 12)]
    writer.close()
    missing, *told = answer(tmp_path)
    assert missing.missing == 8
    assert "cause=before" in missing.fields
    assert len(told) == 4


def test_the_daemon_is_asked_for_a_process_that_is_gone() -> None:
    taking = Taking()
    daemon, client = Process(5), Process(6, role="client")
    taking.take(daemon.status(), client.log(2), client.log(2))
    client.log(2)
    taking.take(client.status(ended=1))
    taking.now_ns += 5 * SECOND_NS
    other = taking.opener.open(daemon.status())
    taking.intake.take(other, b"", ("10.0.0.9", 1), NOW_NS, taking.now_ns)
    assert taking.due() == [(ADDRESS, [6, [5, 6]])]
    assert taking.intake.senders[6].ended


def test_a_node_is_what_its_daemon_says() -> None:
    taking = Taking()
    daemon, client = Process(5), Process(6, role="client")
    rows: list[Figures] = [
        ("queue", "", {"length": 3}),
        ("timer", "a.b", {"late": 0.5, "name": "x"}),
    ]
    (figures,) = pack_figures("oak", 100, rows)
    taking.take(daemon.status(), client.status(), daemon.sealer.seal(FIGURES, figures, NOW))
    heard_ns = taking.now_ns
    taking.now_ns += SECOND_NS
    taking.take(client.log(1), client.status(ended=1))
    view = taking.intake.views()["oak"]
    assert (view.role, view.ended, view.heard_ns) == ("daemon", False, heard_ns)
    assert view.figures == {"queue.length": 3, "timer.a.b.late": 0.5, "timer.a.b.name": "x"}
    taking.take(daemon.status(ended=1))
    assert taking.intake.views()["oak"].ended


def test_clients_do_not_speak_for_a_node_whose_daemon_is_forgotten() -> None:
    taking, daemon, client = Taking(), Process(5), Process(6, role="client")
    taking.take(daemon.status(), client.status())
    taking.now_ns += FORGET_NS + SECOND_NS
    taking.take(client.status())
    taking.intake.forget(NOW_NS, taking.now_ns)
    assert list(taking.intake.senders) == [6]
    assert taking.intake.views() == {}


def test_what_a_monitor_asks_for_is_not_heard_of() -> None:
    """A stream with holes is known from an earlier run; its daemon may long be dead."""
    taking, daemon = Taking(), Process(5)
    known = StreamRecord(5, "oak", "daemon")
    known.store("received", 1, 2)
    known.store("received", 5, 6)
    taking.known[5] = known
    taking.intake.resume(taking.now_ns)
    assert taking.intake.views() == {}
    taking.take(daemon.status())
    assert list(taking.intake.views()) == ["oak"]


def test_the_last_word_of_a_killed_daemon_is_not_a_goodbye() -> None:
    """Its successor sends what it left, and marks that stream as ended."""
    taking, killed, successor = Taking(), Process(5), Process(6)
    taking.take(killed.status())
    taking.now_ns += 30 * SECOND_NS
    killed.address = successor.address = ("10.0.0.1", 7001)
    taking.take(successor.log(1), killed.log(1), killed.status(ended=1))
    assert taking.intake.senders[5].ended
    assert taking.intake.views() == {}
    taking.take(successor.status())
    view = taking.intake.views()["oak"]
    assert (view.ended, view.heard_ns) == (False, taking.now_ns)


def test_figures_of_a_second_are_shown_together() -> None:
    figures = FiguresOf()
    figures.take(7, 0, 2, [["a", "", {"x": 1}]])
    assert figures.known == {}
    figures.take(7, 1, 2, [["b", "", {"y": 2}]])
    assert figures.known == {"a.x": 1, "b.y": 2}
    figures.take(8, 0, 2, [["a", "", {"x": 5}]])
    figures.take(9, 1, 2, [["b", "", {"y": 6}]])
    assert figures.known == {"a.x": 5, "b.y": 2}, "a lost part does not make a panel vanish"
    figures.take(9, 0, 2, [["c", "", {"z": 1}]])
    assert figures.known == {"c.z": 1, "b.y": 6}
    figures.take(8, 1, 2, [["b", "", {"y": 0}]])
    assert figures.known == {"c.z": 1, "b.y": 6}


def test_figures_of_a_node_whose_clock_was_set_back_are_shown() -> None:
    figures = FiguresOf()
    figures.take(5000, 0, 1, [["a", "", {"x": 1}]])
    figures.take(1400, 0, 1, [["a", "", {"x": 2}]])
    assert figures.known == {"a.x": 2}
    figures.take(1401, 0, 1, [["a", "", {"x": 3}]])
    assert figures.known == {"a.x": 3}


def test_figures_of_nodes_that_are_gone_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intakes, "NODES_LIMIT", 2)
    taking = Taking()

    def tell(*processes: Process) -> None:
        for process in processes:
            (body,) = pack_figures(process.node, 7, [("a", "", {"x": 1})])
            taking.take(process.status(), process.sealer.seal(FIGURES, body, NOW))

    tell(Process(1, "oak"), Process(2, "elm"))
    taking.now_ns += FORGET_NS + 1
    new = Process(3, "ash")
    tell(new)
    assert taking.intake.views()["ash"].figures == {}
    taking.intake.forget(NOW_NS, taking.now_ns)
    tell(new)
    assert taking.intake.views()["ash"].figures == {"a.x": 1}


def test_what_finds_no_room_is_asked_for_later() -> None:
    taking, process = Taking(room=False), Process(5)
    taking.take(process.log(3), process.log(3))
    assert not taking.pieces
    assert taking.due(ask=False) == []
    taking.room = True
    ((_, question),) = taking.due()
    assert question == [5, [1, 3, 4, 6]]
    taking.take(*process.answer([1, 6]))
    assert taking.numbers(5) == [1, 2, 3, 4, 5, 6]
    assert taking.intake.senders[5].refused == 6


def test_who_is_silent_for_long_is_forgotten_with_an_account() -> None:
    taking, process = Taking(), Process(5)
    first, _, third = process.log(1), process.log(1), process.log(1)
    taking.take(first, third)
    pieces, gone = taking.intake.forget(NOW_NS, taking.now_ns + FORGET_NS + 1)
    assert [(piece.how, piece.first) for piece in pieces] == [(LOST, 2)]
    assert gone[0].window.counts.all_lost == 1
    assert not taking.intake.senders


def test_senders_are_bounded_also_between_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intakes, "SENDERS_LIMIT", 3)
    monkeypatch.setattr(intakes, "CROWD_LIMIT", 6)
    taking = Taking()
    for stream in range(1, 7):
        taking.now_ns += 1
        taking.take(Process(stream).log(1))
    with pytest.raises(BadDatagram, match="crowded"):
        taking.take(Process(7).log(1))
    taking.intake.forget(NOW_NS, taking.now_ns)
    assert sorted(taking.intake.senders) == [4, 5, 6]
    taking.take(Process(8).log(1))


def test_a_known_stream_goes_on_where_the_spool_ends() -> None:
    taking, process = Taking(), Process(5)
    for _ in range(4):
        process.log(2)
    known = StreamRecord(5, "oak", "daemon")
    known.store("received", 1, 2)
    known.store("received", 5, 6)
    taking.known[5] = known
    taking.intake.resume(taking.now_ns)
    taking.take(process.status())
    ((_, question),) = taking.due()
    assert question == [5, [3, 4, 7, 8]]


def test_what_an_earlier_life_missed_stands_in_the_log_near_its_neighbours() -> None:
    taking = Taking()
    known = StreamRecord(5, "oak", "daemon")
    known.store("received", 1, 2)
    known.store("received", 5, 6)
    known.stamp = NOW
    taking.known[5] = known
    taking.intake.resume(taking.now_ns)
    while not taking.pieces:
        taking.due(10.0)
    (lost,) = taking.pieces
    (gap,) = entries(lost.records[0].key, lost.records[0].value)
    assert (gap.stamp, gap.sequence, gap.missing) == (NOW, 3, 2)


@settings(max_examples=25)
@given(st.integers(0, 1 << 32))
def test_two_monitors_with_other_losses_end_with_the_same_events(seed: int) -> None:
    chance = random.Random(seed)
    processes = [Process(stream, f"n{stream % 3}", ring=10**6) for stream in range(1, 6)]
    monitors = [Taking(), Taking()]
    for _ in range(60):
        process = chance.choice(processes)
        data = process.log(chance.randrange(1, 5))
        for taking in monitors:
            if chance.random() < 0.7:
                taking.take(data)
    for _ in range(200):
        for taking in monitors:
            for process in processes:
                if chance.random() < 0.5:
                    taking.take(process.status())
            for _, (stream, ranges) in taking.due(0.5):
                if chance.random() < 0.7:
                    taking.take(*processes[stream - 1].answer(ranges))
    for process in processes:
        everything = list(range(1, len(process.told) + 1))
        for taking in monitors:
            assert taking.numbers(process.stream) == everything
    keys = [{entry for piece in taking.pieces for entry in places(piece)} for taking in monitors]
    assert keys[0] == keys[1]


def places(piece: Piece) -> Iterable[tuple[int, int, int]]:
    return (e.place for record in piece.records for e in entries(record.key, record.value))


# ---------------------------------------------------------------------- the backlog
def filler(stream: int, first: int, size_bytes: int) -> Piece:
    return Piece(stream, "oak", "daemon", "received", first, first, (), NOW_NS, size_bytes)


def test_a_flood_leaves_room_for_the_others() -> None:
    backlog = Backlog(1_000_000)
    number = 0
    while backlog.has_room(1):
        number += 1
        backlog.put([filler(1, number, 1000)])
    assert backlog.is_half_full
    for stream in range(2, 200):
        assert backlog.has_room(stream)
        backlog.put([filler(stream, 1, 1000)])
    assert not backlog.has_room(1)
    assert backlog.size_bytes < 1_000_000


def test_a_batch_ends_with_its_pieces_done() -> None:
    backlog = Backlog(1_000_000)
    backlog.put([filler(1, 1, 10), filler(2, 1, 10)])
    taken = backlog.take()
    assert [piece.stream for piece in taken] == [1, 2]
    assert backlog.events == 2
    backlog.done(taken)
    assert (backlog.events, backlog.size_bytes) == (0, 0)
    backlog.put([filler(1, 2, 10)])
    backlog.end()
    assert len(backlog.take()) == 1
    assert backlog.take() == []


@pytest.mark.parametrize("count", [backlogs.GATHERED_EVENTS, 3])
def test_many_events_do_not_wait_for_more(count: int) -> None:
    backlog = Backlog(1 << 30)
    backlog.put([filler(1, number, 10) for number in range(1, count + 1)])
    started = clock.monotonic_ns()
    assert len(backlog.take()) == count
    waited = (clock.monotonic_ns() - started) / 1e9
    assert waited < backlogs.GATHER_SECONDS or count < backlogs.GATHERED_EVENTS
