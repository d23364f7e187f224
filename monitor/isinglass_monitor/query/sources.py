"""Where the log is read from: the spool of a monitor on this machine, or the local rings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from isinglass import clock
from isinglass.cli.nodes import is_remote
from isinglass.errors import SegmentMissing, StoreError, UsageError
from isinglass.glass import layout
from isinglass.glass.permission import unreadable, unseen_nodes
from isinglass.settings import data_directory
from isinglass_monitor.query.rings import Rings
from isinglass_monitor.query.spools import Spool, SpoolHere
from isinglass_monitor.spool.folder import FOLDER, segment_numbers
from isinglass_monitor.spool.reading import Cursor, Question
from isinglass_monitor.spool.records import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass_monitor.query.remote_rings import RemoteRingsSource

PREFERRED = "monitor"
RECENT_NS = 60 * clock.NANOSECONDS_PER_SECOND  # what is stored meanwhile came no earlier


class Source(Protocol):
    """What `isinglass log` prints; `remark` is what its reader should know of it."""

    remark: str

    def past(self, newest: int) -> Iterator[Entry]:
        """Yield what is there now: all, or the `newest` ones when not 0."""

    def new(self) -> Iterator[Entry]:
        """Yield what came in since the last call."""

    def cursor(self) -> str:
        """Return where a later call can go on; raises UsageError where there is no such thing."""

    def close(self) -> None:
        """Let go of what it holds."""


def _nothing() -> None:
    """Nothing but the spool has to be closed."""


class SpoolSource:
    """A monitor's spool.

    Args:
        spool: here or on another host.
        question: which events are wanted.
        cursor: where to begin, when an earlier call has told the rest.
        closed: called after the spool was closed.

    Attributes:
        remark: what the reader of the answer should know of it; empty when all is well.
    """

    def __init__(
        self,
        spool: Spool,
        question: Question,
        cursor: Cursor | None,
        closed: Callable[[], None] = _nothing,
    ) -> None:
        self._closed = closed
        self._reader, self._question = spool, question
        self._cursor = cursor
        self._told: set[tuple[int, int, int]] = set()  # by `past`, and perhaps met again
        self.remark = spool.remark()

    def past(self, newest: int) -> Iterator[Entry]:
        """Yield what is there now: all, the `newest` ones when not 0, or what a cursor leaves."""
        if self._cursor is not None:
            end = self._reader.end()
            if self._cursor > end:
                raise UsageError(
                    f"The cursor {self._cursor} is of another spool: this one ends at {end}. Leave"
                    " it out, or remove its file, to begin anew."
                )
            yield from self.new()
            return
        self._cursor = self._reader.end()
        recent_ns = clock.wall_ns() - RECENT_NS
        found: Iterable[Entry] = (
            self._reader.newest(self._question, newest)
            if newest
            else self._reader.ask(self._question)
        )
        for entry in found:
            if entry.arrived_ns > recent_ns:
                self._told.add(entry.place)
            yield entry

    def new(self) -> Iterator[Entry]:
        """Yield what came in since the last call."""
        while True:
            before = self._cursor or Cursor(0, 0)
            found, self._cursor = self._reader.since(before)
            for entry in found:
                if self._question.wants(entry) and entry.place not in self._told:
                    yield entry
            if self._cursor == before:
                # Whatever came in while `past` was told has been passed now.
                self._told.clear()
                return

    def cursor(self) -> str:
        """Return where a later call can go on."""
        return str(self._cursor or self._reader.end())

    def close(self) -> None:
        """Let go of it."""
        self._reader.close()
        self._closed()


class RingsSource:
    """The rings of the nodes on this machine."""

    remark = ""

    def __init__(self, question: Question) -> None:
        self._rings, self._question = Rings(question.nodes), question

    def past(self, newest: int) -> Iterator[Entry]:
        """Yield what is there now, or the `newest` ones when not 0."""
        found = list(self.new())
        yield from found[-newest:] if newest else found

    def new(self) -> Iterator[Entry]:
        """Yield what came since the last call."""
        return (entry for entry in self._rings.look() if self._question.wants(entry))

    def cursor(self) -> str:
        """Rings have none: they forget by themselves."""
        raise UsageError("There is a cursor only with a monitor's spool, and none is here.")

    def close(self) -> None:
        """Nothing is held."""


def open_remote(nodes: Sequence[str], ssh_command: str, question: Question) -> RemoteRingsSource:
    """Return the log of nodes on other hosts; `question` has no nodes.

    Raises:
        UsageError: some are nodes of this machine.
        RemoteError, SegmentMissing: a host cannot be reached, or has no node.
    """
    here = [name for name in nodes if not is_remote(name)]
    if here:
        raise UsageError(
            f"Name either nodes of other hosts or nodes of this machine, not both: leave out"
            f" {', '.join(here)}."
        )
    # Imported here: who reads this machine's log needs no SSH.
    from isinglass_monitor.query.remote_rings import RemoteRingsSource

    return RemoteRingsSource(nodes, ssh_command, question)


def open_source(
    monitor: str, question: Question, cursor: Cursor | None, *, rings: bool
) -> SpoolSource | RingsSource:
    """Return the source of the log.

    Args:
        monitor: its name or the folder of its spool; empty for the one of this machine, if any.
        rings: read the rings in any case.

    Raises:
        UsageError: there are several monitors, and none is named.
        StoreError: the one that is named has no spool, or it cannot be read.
        SegmentMissing: there is neither a spool nor a node.
    """
    folder = None if rings else spool_folder(monitor)
    if folder is not None:
        return SpoolSource(SpoolHere(folder), question, cursor)
    if cursor is not None:
        raise UsageError("A cursor is of a monitor's spool, and there is none here.")
    if not layout.node_names():
        raise SegmentMissing(
            unreadable(data_directory())
            or unseen_nodes()
            or f"There is no spool of a monitor under {data_directory()}, and no node has run here"
            " since this machine booted."
        )
    return RingsSource(question)


def spool_names(root: Path) -> list[str]:
    """Return the names of the monitors that have a spool in a data directory."""
    try:
        names = sorted(path.name for path in root.iterdir())
    except OSError:
        return []
    return [name for name in names if segment_numbers(root / name / FOLDER)]


def spool_folder(monitor: str) -> Path | None:
    """Return the folder of a monitor's spool; None when none is named and there is none.

    Args:
        monitor: its name or the folder itself; empty for the one of this machine.

    Raises:
        UsageError: there are several monitors, and none is named.
        StoreError: the one that is named has no spool.
    """
    root = data_directory()
    if monitor:
        folder = Path(monitor) if "/" in monitor else root / monitor / FOLDER
        if not segment_numbers(folder):
            raise StoreError(
                f"There is no spool at {folder}: is the monitor's name right"
                f" ({_listed(spool_names(root))})?"
            )
        return folder
    names = spool_names(root)
    if len(names) > 1 and PREFERRED not in names:
        raise UsageError(f"There are several monitors here, name one: {', '.join(names)}.")
    if not names:
        return None
    return root / (PREFERRED if PREFERRED in names else names[0]) / FOLDER


def _listed(names: Iterable[str]) -> str:
    found = ", ".join(names)
    return f"there are {found}" if found else "there is none here"
