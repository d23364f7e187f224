"""What pages and commands need of a spool, wherever it is, and the one that is on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from isinglass.glass import layout
from isinglass.node import ownership
from isinglass_monitor.spool.reading import Cursor, Question, SpoolReader
from isinglass_monitor.spool.records import Entry


class Spool(Protocol):
    """A spool that is open to be read; its methods raise what `SpoolReader` raises.

    On another host they raise RemoteError as well.
    """

    @property
    def name(self) -> str:
        """What its monitor is called."""

    def remark(self) -> str:
        """Return a sentence when the monitor does not run, or part of it cannot be read."""

    def refresh(self) -> None:
        """Look which segments there are now."""

    def ask(self, question: Question) -> Iterator[Entry]:
        """Yield the answer, oldest first."""

    def newest(self, question: Question, count: int) -> list[Entry]:
        """Return the last entries of the answer, oldest first."""

    def end(self) -> Cursor:
        """Return the cursor behind everything that is there now."""

    def since(self, cursor: Cursor, commits: int = 256) -> tuple[list[Entry], Cursor]:
        """Return what came in after a cursor, and the cursor behind it."""

    def close(self) -> None:
        """Let go of it."""


class SpoolHere(SpoolReader):
    """The spool in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.name = folder.parent.name

    def remark(self) -> str:
        """Return a sentence when some of it is damaged, or its monitor does not run here."""
        if self.damaged:
            return f"{' '.join(self.damaged.values())} What is in there is left out."
        if ownership.owner_of(Path(layout.runtime_directory()) / self.name) is not None:
            return ""
        return (
            f"the monitor {self.name} does not run here: its spool ends where it ended;"
            " --rings shows what the nodes of this machine have themselves"
        )
