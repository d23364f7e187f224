"""Events and batches for the tests of the spool, and what a spool must then hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from isinglass import clock
from isinglass.wire.event_bodies import WireEvent, pack_events
from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.spool.reading import Question, SpoolReader
from isinglass_monitor.spool.records import Entry, event_records
from isinglass_monitor.spool.retention import Limits
from isinglass_monitor.spool.streams import RECEIVED
from isinglass_monitor.spool.writer import SpoolWriter

NOW_NS = 1_700_000_000_000_000_000
NOW = clock.stamp_floor(NOW_NS)
MILLISECOND = 1 << clock.LOGICAL_BITS


def event(stamp: int, severity: int = 9, message: str = "hello") -> WireEvent:
    return WireEvent(stamp, severity, "flag", message, "a=1", "oak.py:7")


def piece(
    stream: int,
    first: int,
    events: Sequence[WireEvent],
    *,
    node: str = "oak",
    process: str = "daemon",
    how: str = RECEIVED,
    arrived_ns: int = NOW_NS,
) -> Piece:
    """Return a piece as the intake makes it of one datagram."""
    body: list[Any] = [node, process, first, [list(one) for one in events]]
    (packed,) = pack_events(node, process, first, events)
    records = event_records(stream, body, packed, arrived_ns)
    return Piece(stream, node, process, how, first, first + len(events) - 1, records, arrived_ns)


def opened(folder: Path, limits: Limits | None = None) -> SpoolWriter:
    def note(sentence: str, **facts: object) -> None:
        raise AssertionError(f"{sentence}: {facts}")

    return SpoolWriter(folder, limits or Limits(), NOW_NS, note)


def fill(folder: Path, pieces: Iterable[Piece]) -> None:
    """Write pieces, a transaction for each, and close the spool."""
    writer = opened(folder)
    for one in pieces:
        writer.commit([one], NOW_NS)
    writer.close()


def answer(folder: Path, question: Question | None = None) -> list[Entry]:
    """Return what the spool answers."""
    with SpoolReader(folder) as reader:
        return list(reader.ask(question or Question()))


def names(found: Iterable[Entry]) -> list[tuple[int, int]]:
    """Return stream and sequence of entries."""
    return [(entry.stream, entry.sequence) for entry in found]
