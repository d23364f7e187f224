"""What `isinglass top` found, as sections for people and as a document for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from isinglass.cli import tables
from isinglass.cli.documents import DOCUMENT_FORMAT, process_head, site_document
from isinglass.cli.dump_text import is_dead_or_stalled, thread_row
from isinglass.cli.ps import short_path
from isinglass.cli.punctual import ORDINARY
from isinglass.cli.sampled import Sampled
from isinglass.cli.sampling import LIVING
from isinglass.cli.selection import wanted
from isinglass.cli.sheet import Section
from isinglass.cli.source_text import Sources
from isinglass.cli.tally import Share, ThreadKey
from isinglass.cli.units import number
from isinglass.cli.verdicts import sentence
from isinglass.clock import NANOSECONDS_PER_SECOND
from isinglass.glass.schema import Site

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.cli.tables import Row as TableRow

BAR_CELLS = 16
EIGHTHS = " ▏▎▍▌▋▊▉"
COLUMNS = (
    *("share>", "", "running>", "cpu wait>", "blocked>"),
    *("process", "pid>", "thread", "where", "function", "doing", "source"),
)
LINE_COLUMNS = (
    *("process", "pid", "thread", "tid", "path", "line", "function", "label", "waits", "source"),
    *("samples", "share", "running_seconds", "cpu_wait_seconds", "blocked_seconds"),
)
DROPPABLE = ("function", "pid>", "source", "", "process")


class Row(NamedTuple):
    """One line of one thread, with its share of all sampled thread time (0..1)."""

    key: ThreadKey
    site: Site | None
    share: Share
    of_all: float

    @property
    def idle(self) -> bool:
        """Whether the thread waits here on purpose."""
        return self.site is not None and self.site.waits


SORTS: dict[str, Callable[[Row], tuple[object, ...]]] = {
    "share": lambda row: (-row.of_all,),
    "running": lambda row: (-row.share.running_ns,),
    "queued": lambda row: (-row.share.queued_ns,),
    "blocked": lambda row: (-row.share.blocked_ns,),
    "process": lambda row: (row.key.process, row.key.pid, row.key.thread, -row.of_all),
}


class Shown(NamedTuple):
    """Which lines are shown, and how.

    sort: a key of `SORTS`. columns: of `LINE_COLUMNS`. chooses: whether a line is shown.
    as_asked: people get these columns, too, instead of the usual tables.
    """

    sort: str
    columns: Sequence[str]
    chooses: Callable[[TableRow], bool]
    as_asked: bool = False


def rows(sampler: Sampled, sort: str) -> list[Row]:
    """Return all lines that were seen, by a key of `SORTS`."""
    shares = sampler.tally.shares
    total = sum(share.total_ns for share in shares.values()) or 1.0
    found = [
        Row(key, sampler.site(key, word), share, share.total_ns / total)
        for (key, word), share in shares.items()
    ]
    return sorted(found, key=SORTS[sort])


class Report:
    """Makes sections and documents of a sampler's state; keeps the sources that it has read."""

    def __init__(self, sampler: Sampled, rate_hz: float, shown: Shown) -> None:
        self._sampler, self._rate_hz, self.shown = sampler, rate_hz, shown
        self._sources = Sources()
        self.scheduling = ORDINARY

    def sections(self, most_rows: int = 0) -> list[Section]:
        """Return what people read; at most `most_rows` lines of working threads when not 0."""
        found = rows(self._sampler, self.shown.sort)
        parts = [self._head(sum(row.of_all for row in found if not row.idle))]
        if self.shown.as_asked:
            lines = self.lines()
            parts.append(tables.section(lines[: most_rows or None], self.shown.columns))
            return parts + self._ended()
        found = [row for row in found if self.shown.chooses(self._line(row))]
        working = [row for row in found if not row.idle]
        idle = [row for row in found if row.idle]
        if working:
            shown = working[:most_rows] if most_rows else working
            parts.append(self._table("working", shown))
        if idle and not most_rows:
            parts.append(self._table("idle: waiting for work", idle))
        return parts + self._ended()

    def _head(self, busy: float) -> Section:
        schedule, snapshot = self._sampler.schedule, self._sampler.snapshot
        lines = [
            f"{schedule.achieved_hz(self._sampler.seen_ns):,.1f} of {self._rate_hz:,.0f} samples/s,"
            f" {schedule.taken:,} taken, {schedule.late:,} late, {schedule.missed:,} missed"
            f" ({self.scheduling} priority)",
            f"working {busy:.1%} of all thread time, idle {1 - busy:.1%}"
            if self._sampler.tally.shares
            else "no thread to sample",
        ]
        if self._sampler.restarts:
            lines.append(f"the node was restarted {self._sampler.restarts} times meanwhile")
        lines += [
            f"{process.name} {process.pid}: {sentence(process, snapshot.taken_wall_ns)}"
            for process in snapshot.processes
            if process.verdict != "alive" and wanted(process, (), False)
        ]
        alarming = any(map(is_dead_or_stalled, snapshot.processes))
        return Section(f"node {snapshot.node}", lines=lines, alarming=alarming)

    def _table(self, heading: str, found: list[Row]) -> Section:
        cells = [self._cells(row) for row in found]
        return Section(heading, COLUMNS, cells, droppable=DROPPABLE)

    def _cells(self, row: Row) -> tuple[str, ...]:
        key, site, share = row.key, row.site, row.share
        total = share.total_ns or 1.0
        if share.unknown_ns:
            kinds = ["?", "?", "?"]
        else:
            times = (share.running_ns, share.queued_ns, share.blocked_ns)
            kinds = [f"{time / total:.0%}" for time in times]
        where = f"{short_path(site.path)}:{site.line}" if site else "-"
        return (
            *(f"{row.of_all:.1%}", bar(row.of_all), *kinds),
            *(key.process, str(key.pid), key.thread, where),
            *(site.function if site else "-", site.label if site else "no mark reached yet"),
            self._sources.line(site),
        )

    def _ended(self) -> list[Section]:
        """Return the last lines of processes that no longer live, which cannot be sampled."""
        return [
            Section(
                f"{process.name} {process.pid}: {process.verdict}, the last line of each thread",
                ("thread", "tid>", "where", "function", "doing"),
                [thread_row(thread) for thread in process.threads],
                alarming=is_dead_or_stalled(process),
                headers=False,
            )
            for process in self._sampler.snapshot.processes
            if process.verdict not in LIVING and process.threads and wanted(process, (), False)
        ]

    def document(self) -> dict[str, object]:
        """Return what programs read."""
        schedule, snapshot = self._sampler.schedule, self._sampler.snapshot
        found = rows(self._sampler, self.shown.sort)
        total_ns = sum(row.share.total_ns for row in found)
        return {
            "format": DOCUMENT_FORMAT,
            "node": snapshot.node,
            "seconds": (self._sampler.seen_ns - schedule.start_ns) / NANOSECONDS_PER_SECOND,
            "restarts": self._sampler.restarts,
            "samples": {
                "scheduling": self.scheduling,
                "asked_hz": self._rate_hz,
                "achieved_hz": round(schedule.achieved_hz(self._sampler.seen_ns), 3),
                "taken": schedule.taken,
                "late": schedule.late,
                "missed": schedule.missed,
                "on_time_share": round(schedule.on_time_share(), 6),
            },
            "thread_seconds": total_ns / NANOSECONDS_PER_SECOND,
            "working_share": sum(row.of_all for row in found if not row.idle),
            "processes": [
                process_head(process)
                for process in snapshot.processes
                if wanted(process, (), False)
            ],
            "lines": self.lines(),
        }

    def lines(self) -> list[TableRow]:
        """Return the lines that are shown, as rows of a table for scripts."""
        lines = map(self._line, rows(self._sampler, self.shown.sort))
        return list(filter(self.shown.chooses, lines))

    def _line(self, row: Row) -> TableRow:
        share = row.share
        known = not share.unknown_ns
        return {
            "process": row.key.process,
            "pid": row.key.pid,
            "thread": row.key.thread,
            "tid": row.key.tid,
            **site_document(row.site),
            "source": self._sources.line(row.site),
            "samples": share.samples,
            "share": row.of_all,
            "running_seconds": share.running_ns / NANOSECONDS_PER_SECOND if known else None,
            "cpu_wait_seconds": share.queued_ns / NANOSECONDS_PER_SECOND if known else None,
            "blocked_seconds": share.blocked_ns / NANOSECONDS_PER_SECOND if known else None,
        }


def bar(share: float) -> str:
    """Return a bar of up to `BAR_CELLS` characters."""
    eighths = round(share * BAR_CELLS * 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def summary(sampler: Sampled) -> str:
    """Return one line on how the sampling went."""
    schedule = sampler.schedule
    return (
        f"{number(schedule.taken)} samples at {schedule.achieved_hz(sampler.seen_ns):,.1f}/s,"
        f" {number(schedule.late)} late, {number(schedule.missed)} missed"
    )
