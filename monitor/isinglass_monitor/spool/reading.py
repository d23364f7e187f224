"""Questions to the spool, asked by any process while the monitor writes, or when it is gone.

An answer is in order of time over all segments. What came in since an earlier look is found by a
`Cursor`, which says how many commits of which segment were seen: so nothing is missed that came
late, and nothing told twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush, merge
from pathlib import Path
from typing import Any, NamedTuple, Self

from isinglass.errors import StoreCorrupt, UsageError
from isinglass.glass.severity import WARNING
from isinglass_monitor.spool import folder as folders
from isinglass_monitor.spool.records import (
    KEY,
    KEY_BYTES,
    SPAN,
    Entry,
    Pair,
    entries,
    from_by_node,
    in_order,
    node_number,
)
from isinglass_monitor.spool.segment_file import Contents, SegmentFile, SegmentNotThere

LAST_STAMP = (1 << 64) - 1
FETCHED_TOGETHER = 512
NEW_TOGETHER = 16_000  # records of what came in: with a full batch more, a message to another host
_NODE_PLACE = 8


class Cursor(NamedTuple):
    """A place in the row of everything that came in: through which commit of which segment."""

    segment: int
    commit: int

    def __str__(self) -> str:
        return f"s{self.segment}c{self.commit}"


def parse_cursor(text: str) -> Cursor:
    """Return the cursor that was printed as `text`.

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"s(\d{1,12})c(\d{1,18})", text)
    if not match:
        raise UsageError(f"{text!r} is no cursor: give one that `isinglass log` printed.")
    return Cursor(int(match[1]), int(match[2]))


class Question(NamedTuple):
    """Which part of the spool is looked for; what it does not say is not asked."""

    since: int = 0  # stamps: from this one on,
    until: int = LAST_STAMP  # and below this one
    nodes: tuple[str, ...] = ()
    severity: int = 0  # this one or worse

    def wants(self, entry: Entry) -> bool:
        """Tell whether an entry belongs to the answer."""
        return (
            self.since <= entry.stamp < self.until
            and entry.severity >= self.severity
            and (not self.nodes or entry.node in self.nodes)
        )


def question_of(parts: Sequence[Any]) -> Question:
    """Return the question that went somewhere as a list."""
    since, until, nodes, severity = parts
    return Question(since, until, tuple(nodes), severity)


class SpoolReader:
    """The spool in a folder, open to be read.

    Attributes:
        damaged: segments that cannot be read, by number, and why; their events are left out.

    Raises:
        StoreError: it may not be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: dict[int, str] = {}
        self._open: dict[int, SegmentFile] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look which segments there are now."""
        numbers = folders.segment_numbers(self.folder)
        for number in set(self._open) - set(numbers):
            self._open.pop(number).close()
        for number in numbers:
            if number not in self._open and number not in self.damaged:
                try:
                    path = folders.segment_path(self.folder, number)
                    self._open[number] = SegmentFile(path, readonly=True)
                except SegmentNotThere:
                    continue  # it is just being made, or has just been removed
                except StoreCorrupt as error:
                    self.damaged[number] = str(error)

    def close(self) -> None:
        """Let go of all files."""
        while self._open:
            self._open.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def contents(self) -> dict[int, Contents]:
        """Return what each segment holds now."""
        found = {number: segment.contents() for number, segment in sorted(self._open.items())}
        return {number: contents for number, contents in found.items() if contents is not None}

    # ---------------------------------------------------------------- in order of time
    def ask(self, question: Question) -> Iterator[Entry]:
        """Yield the answer, oldest first."""
        parts = [
            in_order(self._pairs(self._open[number], question, backwards=False))
            for number in self._concerned(question)
        ]
        last: tuple[int, int, int] | None = None
        for entry in merge(*parts):
            if entry.place != last and question.wants(entry):
                yield entry
            last = entry.place

    def newest(self, question: Question, count: int) -> list[Entry]:
        """Return the last entries of the answer, `count` at most, oldest first."""
        found: list[Entry] = []  # a heap, the oldest first
        known: set[tuple[int, int, int]] = set()
        for number in reversed(self._concerned(question)):
            for key, value in self._pairs(self._open[number], question, backwards=True):
                stamp = int.from_bytes(key[:8], "big")
                # What stands before it in the order of keys is older than all that are wanted.
                if len(found) >= count and stamp + SPAN < found[0].stamp:
                    break
                for entry in entries(key, value):
                    if question.wants(entry) and entry.place not in known:
                        known.add(entry.place)
                        heappush(found, entry)
                        if len(found) > count:
                            known.discard(heappop(found).place)
        return sorted(found)

    def _concerned(self, question: Question) -> list[int]:
        return [
            number
            for number, held in self.contents().items()
            if held.records and held.earliest < question.until and held.latest >= question.since
        ]

    def _pairs(
        self, segment: SegmentFile, question: Question, *, backwards: bool
    ) -> Iterator[Pair]:
        first, end = _bounds(question)
        warnings = question.severity >= WARNING
        if not warnings and not question.nodes:
            return segment.scan("records", first, end, backwards=backwards)
        numbers: Iterable[int] = {node_number(node) for node in question.nodes}
        table = "warnings" if warnings else "by_node"
        rows = [
            _keys(segment, table, number, first, end, backwards=backwards)
            for number in numbers or segment.node_numbers()
        ]
        return _fetched(segment, merge(*rows, reverse=backwards))

    # ---------------------------------------------------------------- in order of arrival
    def end(self) -> Cursor:
        """Return the cursor behind everything that is there now."""
        return max(
            (Cursor(number, held.commits) for number, held in self.contents().items()),
            default=Cursor(0, 0),
        )

    def since(self, cursor: Cursor, commits: int = 256) -> tuple[list[Entry], Cursor]:
        """Return what came in after a cursor, oldest first, and the cursor behind it.

        Args:
            commits: how many to look at, at most, and no more once NEW_TOGETHER records were found;
                when none is left, the cursor does not move.
        """
        self.refresh()
        pairs: list[Pair] = []
        for number, held in self.contents().items():
            seen = cursor.commit if number == cursor.segment else 0
            if number < cursor.segment or seen >= held.commits:
                continue
            first, end = (seen + 1).to_bytes(8, "big"), (held.commits + 1).to_bytes(8, "big")
            keys = []
            for row, joined in self._open[number].scan("arrivals", first, end):
                keys += [joined[at : at + KEY_BYTES] for at in range(0, len(joined), KEY_BYTES)]
                cursor, commits = Cursor(number, int.from_bytes(row, "big")), commits - 1
                if len(pairs) + len(keys) >= NEW_TOGETHER:
                    commits = 0
                if not commits:
                    break
            else:
                cursor = Cursor(number, held.commits)
            pairs += self._open[number].fetch(keys)
            if not commits:
                break
        return list(in_order(sorted(pairs))), cursor


def _bounds(question: Question) -> tuple[bytes, bytes]:
    """Return the keys between which the records of an answer are."""
    first = KEY.pack(max(question.since - SPAN, 0), 0, 0, 0)
    return first, KEY.pack(min(question.until, LAST_STAMP), 0, 0, 0)


def _keys(
    segment: SegmentFile, table: str, node: int, first: bytes, end: bytes, *, backwards: bool
) -> Iterator[bytes]:
    """Yield the keys of a node's records between two keys, from an index."""
    prefix = node.to_bytes(4, "big")
    low, high = prefix + first[:_NODE_PLACE], prefix + end[:_NODE_PLACE]
    for key, _ in segment.scan(table, low, high, backwards=backwards):
        yield from_by_node(key)


def _fetched(segment: SegmentFile, keys: Iterable[bytes]) -> Iterator[Pair]:
    """Yield the records of keys, fetched some at a time."""
    together: list[bytes] = []
    size = 32
    for key in keys:
        together.append(key)
        if len(together) >= size:
            yield from segment.fetch(together)
            together, size = [], FETCHED_TOGETHER
    yield from segment.fetch(together)


__all__ = [
    "Cursor",
    "Entry",
    "Question",
    "SpoolReader",
    "parse_cursor",
    "question_of",
]
