"""What the last daemon kept aside, on its way into the store of this one.

It goes before anything newer. When the store takes it at the start, clients never notice; when it
does not (the disk is still full), the daemon serves reads, refuses writes with the store's own
error, and the applier tries again until there is room.

    kept aside ──the store takes it──▶ in the store ──sent again, flushed──▶ the files are removed
        └─ the daemon ends before: the files stay for the next one ──┘

It goes there without numbers of this life, and may not have gone to other nodes before: so the
names of all of it are told, to be sent again under new ones (see `adopting`), before the files go.
The queue is told of the tables as they will be then, so a table that was only created aside can be
dropped to make room.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from isinglass.glass.probe import mark
from isinglass.node import kept_aside
from isinglass.store import records
from isinglass.store.changes import CreateTable, DropTable, Writes
from isinglass.store.database import Store
from isinglass.store.tables import TableState
from isinglass.wire.journal import Name

NOTHING = kept_aside.Kept([], [], [])


class Recovery:
    """The steps that were kept aside, and the files they stand in.

    Args:
        folders: where a daemon keeps aside.
        stored: told the names of what was kept aside, once it is in the store; again, when the
            store then could not be flushed.
        finished: told how many updates there were, at the end.
    """

    def __init__(
        self,
        folders: Iterable[Path],
        store: Store,
        stored: Callable[[Collection[Name]], None],
        finished: Callable[[int], None],
    ) -> None:
        self._store, self._stored, self._finished = store, stored, finished
        self._kept = kept_aside.load(folders)
        self._steps = list(self._kept.steps)
        self.updates = kept_aside.updates_of(self._steps)
        self._names = kept_aside.names_of(self._steps)

    @property
    def waits(self) -> bool:
        """Whether anything is still kept aside."""
        return bool(self._kept.files)

    @property
    def damaged(self) -> list[Path]:
        """The files of which a part could not be read."""
        return self._kept.damaged

    def apply(self) -> None:
        """Put everything into the store; what a failed try has put there stays there.

        Raises:
            DiskFull, MapFull, StoreCorrupt, StoreError: the store does not take it all now.
        """
        mark("applying what the last daemon kept aside")
        while self._steps:
            self._store.apply(self._steps[:1])
            del self._steps[0]
        self._stored(self._names)
        self._store.flush()
        kept, self._kept = self._kept, NOTHING
        kept_aside.remove(kept)
        self._names = set()
        self._finished(self.updates)

    def leave(self) -> None:
        """Leave the files to the next daemon, whatever a thread that is stuck may still do."""
        self._kept = NOTHING

    def newest_stamp(self) -> int:
        """Return the newest stamp of what is kept aside; 0 when nothing is."""
        return max((records.version_stamp(found) for found in self._versions()), default=0)

    def _versions(self) -> Iterable[bytes]:
        for step in self._steps:
            if isinstance(step, Writes):
                for part in (step.records, *step.groups.values()):
                    yield from part.values()
            else:
                yield step.version

    def foreseen(self, states: Iterable[TableState]) -> list[TableState]:
        """Return the tables as they will be once everything is in the store."""
        tables = {state.name: state for state in states}
        for step in self._steps:
            known = tables.get(step.table)
            if isinstance(step, CreateTable):
                floor = known.floor if known else records.NEVER
                if known is None or step.version > known.created:
                    tables[step.table] = TableState(step.table, step.shape, step.version, floor)
            elif isinstance(step, DropTable) and known and step.version > known.floor:
                tables[step.table] = known._replace(floor=step.version)
        return list(tables.values())
