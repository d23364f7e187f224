"""Pages of the log out of a monitor's spool: a bounded part of it at a time, also for a search.

What is looked at for one page is limited: a search for a text that occurs nowhere must not read a
spool of millions to its end. Then the page says from when on was searched, and moving there goes
on. While a page is followed, what came in is found by a cursor: it costs what came in, no more.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable

from isinglass import clock
from isinglass.harmless import harmless
from isinglass_console.model.log import LogEntry
from isinglass_console.model.log_page import ROWS_AFTER, ROWS_BEFORE, LogPage, LogRequest
from isinglass_monitor.query.pages import Part, backwards, forwards
from isinglass_monitor.query.spools import Spool
from isinglass_monitor.spool.reading import LAST_STAMP, Question
from isinglass_monitor.spool.records import Entry

SEARCHED_PARTS = 20
FOLLOWED_COMMITS, FOLLOWED_ROUNDS = 64, 8
KEPT_ROWS = 2 * ROWS_BEFORE
MILLISECOND = 1 << clock.LOGICAL_BITS


class SpoolLog:
    """The spool of one monitor.

    Args:
        spool: here or on another host; it is closed by this.
        hurried: says whether something else is wanted by now, so that a search can be given up.

    Raises:
        StoreError: the spool cannot be read; so do the methods.
    """

    def __init__(self, spool: Spool, hurried: Callable[[], bool]) -> None:
        self._reader, self._hurried = spool, hurried
        self._request: LogRequest | None = None
        self._cursor = self._reader.end()
        self._entries: list[LogEntry] = []
        self._known: set[tuple[int, int, int]] = set()
        self._more = (False, False)
        self._searched_from_ns = 0

    @property
    def name(self) -> str:
        """What its monitor is called."""
        return self._reader.name

    def close(self) -> None:
        """Let go of the files."""
        self._reader.close()

    def look(self, request: LogRequest) -> LogPage | None:
        """Return the page of a request, or None when it is as it was at the last look."""
        if request != self._request:
            self._reader.refresh()
            self._cursor = self._reader.end()  # what comes while it is read, comes again after it
            self._begin(request)
        elif request.at_ns is not None or not self._follow(request):
            return None
        return self._page(request)

    def _page(self, request: LogRequest) -> LogPage:
        return LogPage(
            request,
            tuple(self._entries),
            f"the spool of {self._reader.name}",
            *self._more,
            self._searched_from_ns,
            self._reader.remark().partition(";")[0],
        )

    # ------------------------------------------------------------------ around a moment
    def _begin(self, request: LogRequest) -> None:
        at = LAST_STAMP
        if request.at_ns is not None:
            at = clock.stamp_floor(request.at_ns) + MILLISECOND
        nodes = (request.node,) if request.node else ()
        question = Question(0, at, nodes, request.severity)
        before, more_before = self._collect(request, backwards, question, ROWS_BEFORE)
        self._searched_from_ns = 0
        if more_before is not None and len(before) < ROWS_BEFORE:
            self._searched_from_ns = clock.stamp_wall_ns(more_before.until)
        after: list[LogEntry] = []
        more_after = None
        if request.at_ns is not None:
            later = question._replace(since=at, until=LAST_STAMP)
            after, more_after = self._collect(request, forwards, later, ROWS_AFTER)
        self._entries = [*sorted(before, key=_place), *after]
        self._known = {entry.place for entry in self._entries}
        self._more = (more_before is not None, more_after is not None)
        self._request = None if self._hurried() else request

    def _collect(
        self,
        request: LogRequest,
        look: Callable[[Spool, Question], Part],
        question: Question,
        most: int,
    ) -> tuple[list[LogEntry], Question | None]:
        """Return the nearest events that are wanted, and what asks for those beyond them."""
        found: list[LogEntry] = []
        further: Question | None = question
        for _ in range(SEARCHED_PARTS):
            if further is None or len(found) >= most or self._hurried():
                break
            part = look(self._reader, further)
            entries = part.entries if look is forwards else reversed(part.entries)
            found += [entry for entry in map(log_entry, entries) if request.wants(entry)]
            further = part.further or (question if len(found) > most else None)
        return found[:most], further

    # ------------------------------------------------------------------ what comes in
    def _follow(self, request: LogRequest) -> bool:
        """Take in what has come since; return whether there was any."""
        news = False
        for _ in range(FOLLOWED_ROUNDS):
            before = self._cursor
            found, self._cursor = self._reader.since(before, FOLLOWED_COMMITS)
            news |= self._take(request, found)
            if self._cursor == before:
                return news
        # More came than a screen can follow: begin with the newest again at the next look.
        self._request = None
        return news

    def _take(self, request: LogRequest, found: list[Entry]) -> bool:
        wanted = [
            entry
            for entry in map(log_entry, found)
            if entry.place not in self._known and request.wants(entry)
        ]
        for entry in wanted:
            self._known.add(entry.place)
            insort(self._entries, entry, key=_place)
        if len(self._entries) > KEPT_ROWS:
            gone = self._entries[:-ROWS_BEFORE]
            del self._entries[:-ROWS_BEFORE]
            self._known.difference_update(entry.place for entry in gone)
            self._more = (True, False)
        return bool(wanted)


def _place(entry: LogEntry) -> tuple[int, int, int]:
    return entry.place


def log_entry(entry: Entry) -> LogEntry:
    """Return an entry of the spool as the console has events; nothing in it drives a terminal."""
    facts = entry.fields.replace("\t", " ")
    message = f"{entry.message} {facts}" if facts else entry.message
    return LogEntry(
        clock.stamp_wall_ns(entry.stamp),
        harmless(entry.node),
        harmless(entry.process),
        entry.severity,
        harmless(entry.flag),
        harmless(message),
        harmless(entry.where),
        entry.place,
    )
