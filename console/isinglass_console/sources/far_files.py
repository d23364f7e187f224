"""The source files that nodes of other hosts run, fetched once a version, when a screen wants one.

A file is asked for at the first node that says that it runs this version; until its text is here
the screen says so. What was fetched stays for as long as the console runs, the oldest going first
beyond some megabytes; it is known by its hash, so nodes that run the same version share it.
"""

from __future__ import annotations

from dataclasses import dataclass

from isinglass import clock
from isinglass_console.sources.files import SourceFile, compared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.remote.source_text import SourceText
    from isinglass_console.sources.remote import Fleet, RemoteSource

MOST_FILES = 256
MOST_BYTES = 32 * 1024 * 1024
AGAIN_NS = 10 * clock.NANOSECONDS_PER_SECOND


@dataclass(slots=True)
class Fetched:
    """A file that was asked for; `file` is made when its text, or why it does not come, is here."""

    node: str
    text: SourceText
    asked_ns: int
    file: SourceFile | None = None
    size_bytes: int = 0


class FarFiles:
    """Texts by path and hash; all calls come from the screen's thread.

    Args:
        fleet: the nodes of other hosts; None when there are none.
    """

    def __init__(self, fleet: Fleet | None) -> None:
        self._fleet = fleet
        self._fetched: dict[tuple[str, str], Fetched] = {}
        self._nobody_ns: dict[tuple[str, str], int] = {}

    def file(self, path: str, source_hash: str) -> SourceFile | None:
        """Return the file as far as it is here; None when no node of another host runs it."""
        if self._fleet is None:
            return None
        found = self._fetched.get((path, source_hash)) or self._ask(path, source_hash)
        if found is None:
            return None
        if found.file is None:
            found.file = _made(found, source_hash)
            found.size_bytes = len(found.text.content or b"")
            self._make_room()
        elif found.text.refused and clock.monotonic_ns() - found.asked_ns > AGAIN_NS:
            self._fetched.pop((path, source_hash), None)  # it may be there by now
        return found.file or SourceFile((), False, f"its text is on its way from {found.node}")

    def _ask(self, path: str, source_hash: str) -> Fetched | None:
        """Ask for a file where it is run; whether it is, is looked for now and then alone."""
        now_ns, wanted = clock.monotonic_ns(), (path, source_hash)
        if now_ns - self._nobody_ns.get(wanted, 0) < clock.NANOSECONDS_PER_SECOND:
            return None
        source = self._runner(path, source_hash)
        if source is None:
            if len(self._nobody_ns) >= MOST_FILES:
                self._nobody_ns.clear()
            self._nobody_ns[wanted] = now_ns
            return None
        found = Fetched(source.name, source.node.fetch(path), now_ns)
        self._fetched[wanted] = found
        return found

    def _runner(self, path: str, source_hash: str) -> RemoteSource | None:
        assert self._fleet is not None
        running = (each for each in self._fleet.sources if each.runs(path, source_hash))
        # Of a node whose link is down it would come when that is up again.
        return min(running, key=lambda source: not source.node.link.up, default=None)

    def _make_room(self) -> None:
        """Forget the oldest ones beyond what may be kept."""
        size_bytes = sum(each.size_bytes for each in self._fetched.values())
        for wanted in list(self._fetched)[:-1]:
            if size_bytes <= MOST_BYTES and len(self._fetched) <= MOST_FILES:
                break
            size_bytes -= self._fetched.pop(wanted).size_bytes


def _made(found: Fetched, source_hash: str) -> SourceFile | None:
    text = found.text
    if text.content is not None:
        return compared(text.content, source_hash, found.node)
    return SourceFile((), False, text.refused) if text.refused else None
