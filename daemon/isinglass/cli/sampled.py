"""What was sampled of a node, wherever the samples were taken: what a report of `top` reads."""

from __future__ import annotations

from isinglass.cli.profiles import Frame, Track
from isinglass.cli.tally import Tally, ThreadKey
from isinglass.glass import layout
from isinglass.glass.schedule import Schedule
from isinglass.glass.schema import Site
from isinglass.glass.snapshot import Process, Snapshot, site_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from isinglass.glass.schema import FileSchema

    Files = Mapping[int, FileSchema]


class Sampled:
    """Samples of one node by thread and word, and what the words stand for."""

    schedule: Schedule
    snapshot: Snapshot

    def __init__(self, *, keep_order: bool) -> None:
        self.tally = Tally(keep_order=keep_order)
        self.restarts = 0
        self.seen_ns = 0
        self._files: dict[tuple[int, int, int], Files] = {}

    def remember(self, process: Process) -> None:
        """Keep what the words of a process stand for, and not its bytes: clients come and go."""
        self._files[process.slot, process.claim, process.pid] = process.files

    def site(self, key: ThreadKey, word: int) -> Site | None:
        """Return the mark that a word of a thread stands for."""
        return site_of(self._files[key.slot, key.claim, key.pid], word)

    def frame(self, key: ThreadKey, word: int) -> Frame:
        """Return the mark that a word of a thread stands for, as a frame of a profile."""
        site = self.site(key, word)
        if site is None:
            return Frame("", 0, "", "", False)
        return Frame(site.path, site.line, site.function, site.label, site.waits)

    def tracks(self) -> list[Track]:
        """Return the samples of each thread in their order; empty unless they were kept."""
        return [
            Track(
                key.process,
                key.pid,
                key.thread,
                [(self.frame(key, word), count) for word, count in runs],
            )
            for key, runs in self.tally.runs.items()
        ]


def idle_words(process: Process) -> frozenset[int]:
    """Return the words of a process whose marks wait on purpose."""
    return frozenset(
        module << layout.LINE_BITS | line
        for module, file in process.files.items()
        for line, site in file.sites.items()
        if site.waits
    )
