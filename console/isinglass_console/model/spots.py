"""Where the time of many threads went, line by line: of one thread, a process, a node, all nodes.

Lines are the same where the source is: by the hash of the file, so that nodes that run the same
version from other folders are summed, and nodes that run another version never are. Shares are of
all the time of all the threads that are summed, waiting included.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import nan

from isinglass.cli.profiles import Frame, Track, folded, speedscope
from isinglass.cli.tally import Share
from isinglass.glass.schema import Site
from isinglass.glass.snapshot import Process, Thread
from isinglass_console.model.frame import NodeFrame
from isinglass_console.model.heat import Tally, ThreadKey, Window

THREAD, PROCESS, NODE, EVERYWHERE = "thread", "process", "node", "all nodes"
SCOPES = (THREAD, PROCESS, NODE, EVERYWHERE)

LineKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """The time of one thread on one line in a period."""

    node: str
    process: Process
    thread: Thread
    word: int
    share: Share

    @property
    def site(self) -> Site | None:
        """The mark; None for a thread that passed none yet."""
        return self.process.site(self.word)


@dataclass(frozen=True, slots=True)
class Spot:
    """One line of source; shares of the summed time, NaN where the kernel does not say.

    `change`: by how much its share grew since another period, NaN without one.
    """

    word: int
    site: Site | None
    share: float
    running: float = nan
    cpu_wait: float = nan
    blocked: float = nan
    change: float = nan

    @property
    def waits(self) -> bool:
        """Whether a thread waits there on purpose."""
        return self.site is not None and self.site.waits


def entries_of(node: NodeFrame, tally: Tally | Window) -> list[Entry]:
    """Return what all threads of a node did in a period."""
    snapshot = node.snapshot
    if snapshot is None:
        return []
    return [
        Entry(node.name, process, thread, word, share)
        for process in snapshot.processes
        for thread in process.threads
        for word, share in tally.lines((process.slot, process.claim, thread.index)).items()
    ]


def within(entries: Iterable[Entry], scope: str, node: str, key: ThreadKey) -> list[Entry]:
    """Return the entries of a thread, or of its process, its node, all nodes."""

    def wanted(entry: Entry) -> bool:
        process = entry.process
        return scope == EVERYWHERE or (
            entry.node == node
            and (scope == NODE or key[:2] == (process.slot, process.claim))
            and (scope != THREAD or key[2] == entry.thread.index)
        )

    return [entry for entry in entries if wanted(entry)]


def of_namesakes(
    entries: Sequence[Entry], scope: str, process: Process, thread: Thread
) -> list[Entry]:
    """Return the entries of a process, or of one of its threads, at another moment.

    Of the very same process when it was there, else of those of its name, and of its thread's.
    """
    if scope in (NODE, EVERYWHERE):
        return list(entries)
    same = [entry for entry in entries if _life(entry.process) == _life(process)]
    found = same or [entry for entry in entries if entry.process.name == process.name]
    if scope == PROCESS:
        return found
    if same:
        return [entry for entry in found if entry.thread.index == thread.index]
    return [entry for entry in found if entry.thread.name == thread.name]


def _life(process: Process) -> tuple[int, int, int]:
    return process.slot, process.claim, process.pid


def spots_of(entries: Iterable[Entry]) -> list[Spot]:
    """Return the lines of the entries, the hottest first."""
    sums: dict[LineKey, Share] = {}
    words: dict[LineKey, tuple[int, Site | None]] = {}
    for entry in entries:
        key = line_key(entry.site, entry.word)
        words.setdefault(key, (entry.word, entry.site))
        sums.setdefault(key, Share()).add(entry.share)
    whole_ns = sum(share.total_ns for share in sums.values())
    found = [_spot(*words[key], share, whole_ns) for key, share in sums.items()]
    return sorted(found, key=lambda spot: (-spot.share, spot.word))


def line_key(site: Site | None, word: int) -> LineKey:
    """Return what tells a line of source from all others."""
    return ("", word) if site is None else (site.source_hash or site.path, site.line)


def _spot(word: int, site: Site | None, share: Share, whole_ns: float) -> Spot:
    if not whole_ns:
        return Spot(word, site, nan)
    part = share.total_ns / whole_ns
    known_ns = share.running_ns + share.queued_ns + share.blocked_ns
    if known_ns <= 0:
        return Spot(word, site, part)
    kinds = (share.running_ns, share.queued_ns, share.blocked_ns)
    return Spot(word, site, part, *(kind / whole_ns for kind in kinds))


def compared(now: Sequence[Spot], before: Sequence[Spot]) -> list[Spot]:
    """Return the lines of both periods with how much hotter each got, the hotter first."""
    earlier = {line_key(spot.site, spot.word): spot for spot in before}
    found = []
    for spot in now:
        old = earlier.pop(line_key(spot.site, spot.word), None)
        found.append(replace(spot, change=spot.share - (old.share if old is not None else 0.0)))
    found += [Spot(old.word, old.site, 0.0, change=-old.share) for old in earlier.values()]
    return sorted(found, key=lambda spot: (-spot.change, -spot.share, spot.word))


def of_file(spots: Iterable[Spot], site: Site) -> dict[int, Spot]:
    """Return the lines of one version of a file, by their number."""
    return {
        spot.site.line: spot
        for spot in spots
        if spot.site is not None and line_key(spot.site, 0)[0] == line_key(site, 0)[0]
    }


def other_versions(entries: Iterable[Entry], site: Site) -> list[str]:
    """Return the nodes that run another version of a file."""
    return sorted(
        {
            entry.node
            for entry in entries
            if entry.site is not None
            and entry.site.path == site.path
            and entry.site.source_hash != site.source_hash
        }
    )


# ---------------------------------------------------------------------- for other tools
def _frame(site: Site | None) -> Frame:
    if site is None:
        return Frame("", 0, "", "", False)
    return Frame(site.path, site.line, site.function, site.label, site.waits)


def folded_stacks(entries: Iterable[Entry]) -> str:
    """Return the entries as folded stacks, for flame graphs."""
    counts: dict[tuple[str, int, str, Frame], int] = {}
    for entry in entries:
        process = entry.process
        key = (
            f"{entry.node} {process.name}",
            process.pid,
            f"{entry.thread.name} {entry.thread.tid}",
            _frame(entry.site),
        )
        counts[key] = counts.get(key, 0) + entry.share.samples
    return folded(counts)


def speedscope_document(entries: Iterable[Entry], title: str, exporter: str) -> dict[str, object]:
    """Return the entries as a document for speedscope; the order of samples is not kept.

    Weights are the time on each line, so nodes that were sampled at different rates agree.
    """
    runs: dict[tuple[str, str, int, str], list[tuple[Frame, int]]] = {}
    for entry in entries:
        process = entry.process
        thread = f"{entry.thread.name} {entry.thread.tid}"
        key = (entry.node, process.name, process.pid, thread)
        microseconds = round(entry.share.total_ns / 1e3)
        runs.setdefault(key, []).append((_frame(entry.site), microseconds))
    tracks = [
        Track(f"{node} {name}", pid, thread, found)
        for (node, name, pid, thread), found in runs.items()
    ]
    return speedscope(tracks, 1e-6, title, exporter)
