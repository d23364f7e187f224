"""A node of this machine: its segment read, its probes sampled, its states as words.

Nothing here raises for what a node can be in: missing, half written, from before a reboot,
stopped, dead, restarted. What looking is, `isinglass.glass.look` says; a remote node is looked at
by the same code on its own machine.
"""

from __future__ import annotations

from collections.abc import Iterable

from isinglass.clock import stamp_wall_ns
from isinglass.errors import (
    MachineRebooted,
    SegmentError,
    SegmentHalfWritten,
    SegmentMissing,
)
from isinglass.glass.look import Looker, Sampling
from isinglass.glass.probe_counts import ThreadCounts
from isinglass.glass.schema import place_text
from isinglass.glass.snapshot import Process, Snapshot, Verdict, site_of
from isinglass.harmless import harmless
from isinglass_console.model.frame import CONDITIONS, Condition
from isinglass_console.model.heat import Tally
from isinglass_console.model.log import LogEntry
from isinglass_console.model.reading import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.glass.journal import RawEvent

# Looks come five a second: counted more often than about once a second, they say nothing more.
COUNTED_NS = 900_000_000

_CONDITION_OF: tuple[tuple[type[Exception], str], ...] = (
    (SegmentMissing, Condition.MISSING),
    (SegmentHalfWritten, Condition.STARTING),
    (MachineRebooted, Condition.REBOOTED),
    (Exception, Condition.UNREADABLE),
)


class LocalSource:
    """Reads one node; all calls come from one thread."""

    def __init__(self, node: str) -> None:
        self.node = node
        self._looker = Looker(node)

    def read(self) -> Reading:
        """Return the node as it is now."""
        try:
            look = self._looker.look(least_span_ns=COUNTED_NS)
        except SegmentError as reason:
            return Reading(self.node, condition_of(reason), str(reason))
        snapshot = look.snapshot
        events = tuple(
            entry
            for tail in look.tails
            for entry in log_entries(self.node, tail.process, tail.events)
        )
        tally = tally_of(snapshot, look.threads, look.sampling)
        condition = condition_in(snapshot)
        return Reading(self.node, condition, "", snapshot, tally, events, look.restarted)

    def sample(self, late: bool) -> None:
        """Look once where every thread is."""
        self._looker.sample(late)

    def close(self) -> None:
        """Let go of the segment and of the kernel's accounts."""
        self._looker.close()


def log_entries(node: str, process: Process, events: Iterable[RawEvent]) -> list[LogEntry]:
    """Return events out of a process's ring as the console's log has them."""
    return [_entry(node, process, event) for event in events]


def _entry(node: str, process: Process, event: RawEvent) -> LogEntry:
    sequence, stamp, severity, where, flag, message, fields = event
    site = process.site(where)
    facts = [pair for pair in fields.split("\t") if pair]
    return LogEntry(
        stamp_wall_ns(stamp),
        node,
        harmless(process.name),
        severity,
        harmless(flag),
        harmless(" ".join([message, *facts])),
        harmless(place_text(site.path, site.line)) if site else "",
        (stamp, process.claim << 32 | process.slot, sequence),
    )


def tally_of(snapshot: Snapshot, threads: Iterable[ThreadCounts], sampling: Sampling) -> Tally:
    """Return the counts of all threads with their time divided among the words."""
    tally = Tally(taken=sampling.taken, late=sampling.late, seconds=sampling.span_ns / 1e9)
    files = {(process.slot, process.claim): process.files for process in snapshot.processes}
    for thread in threads:
        own = files.get(thread.key[:2])
        if own is not None:
            idle = [word for word in thread.counts if (site := site_of(own, word)) and site.waits]
            tally.put(thread.key, thread.counts, idle, thread.usage)
    return tally


def condition_of(reason: Exception) -> str:
    """Return what a node that cannot be read is in."""
    return next(condition for kind, condition in _CONDITION_OF if isinstance(reason, kind))


def condition_in(snapshot: Snapshot) -> str:
    """Return what the node is in, by its daemon; by any live process when the daemon's is gone."""
    owner = snapshot.owner
    if owner is None:
        lives = any(process.verdict == Verdict.ALIVE for process in snapshot.processes)
        return Condition.ALIVE if lives else Condition.KILLED
    if owner.verdict == Verdict.ALIVE and snapshot.state == "init":
        return Condition.STARTING
    return CONDITIONS[owner.verdict]
