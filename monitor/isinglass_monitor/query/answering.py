"""What a monitor's files say to a console or a command on another host, as `far_monitor` asks it.

Each question is a method here, and nothing else can be asked: parts of the spool, the alarms, the
statistics, all of this monitor, and all bounded. Orders are taken only where they were allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from isinglass import clock
from isinglass.errors import StoreError, UsageError
from isinglass.glass import layout
from isinglass_monitor.commands.alarms_text import current
from isinglass_monitor.commands.places import Places
from isinglass_monitor.orders import OrderRefused, ask
from isinglass_monitor.query.pages import PART_ENTRIES, forwards
from isinglass_monitor.query.sources import spool_folder
from isinglass_monitor.query.spools import SpoolHere
from isinglass_monitor.spool.reading import Cursor, question_of
from isinglass_monitor.statistics_store import DIRECTORY, StatisticsFile

MOST_ENTRIES = 20_000
MOST_COMMITS = 256
MOST_FIGURES = 256
ORDER_SECONDS = 5.0


class Answering:
    """One monitor of this machine.

    Args:
        monitor: its name, or the folder of its spool; empty for the one of this machine.
        takes_orders: pass orders on to it.
    """

    def __init__(self, monitor: str, *, takes_orders: bool) -> None:
        self._monitor, self._takes_orders = monitor, takes_orders
        self._spool: SpoolHere | None = None
        self._statistics: StatisticsFile | None = None
        self.questions: dict[str, Callable[..., Any]] = {
            "about": self.about,
            "end": self.end,
            "since": self.since,
            "newest": self.newest,
            "forwards": self.forwards,
            "alarms": self.alarms,
            "nodes": self.nodes,
            "fields": self.fields,
            "points": self.points,
            "order": self.order,
        }

    def answer(self, question: str, arguments: Mapping[str, Any]) -> Any:
        """Return the answer to a question.

        Raises:
            IsinglassError: there is none, and why.
        """
        asked = self.questions.get(question)
        if asked is None:
            raise UsageError(f"this isinglass knows nothing of {question!r}: install a newer one")
        try:
            return asked(**arguments)
        except TypeError as reason:
            raise UsageError(f"this isinglass is asked in another way: {reason}") from None

    def close(self) -> None:
        """Let go of all files."""
        for held in (self._spool, self._statistics):
            if held is not None:
                held.close()

    # ------------------------------------------------------------------ the spool
    def _read(self) -> SpoolHere:
        if self._spool is None:
            self._spool = SpoolHere(self._folder())
        self._spool.refresh()
        return self._spool

    def _folder(self) -> Path:
        folder = spool_folder(self._monitor)
        if folder is None:
            raise StoreError("No monitor has run there: start one with `isinglass monitor start`.")
        return folder

    @property
    def _places(self) -> Places:
        data = self._folder().parent
        return Places(Path(layout.runtime_directory()) / data.name, data)

    def about(self) -> list[Any]:
        """Return the monitor's name, and whether it runs."""
        spool = self._read()
        return [spool.name, spool.remark() == ""]

    def end(self) -> list[int]:
        """Return the cursor behind all there is."""
        return list(self._read().end())

    def since(self, cursor: Sequence[int], commits: int) -> list[Any]:
        """Return what came in after a cursor, and the cursor behind it."""
        found, behind = self._read().since(Cursor(*cursor), min(commits, MOST_COMMITS))
        return [found, list(behind)]

    def newest(self, question: Sequence[Any], count: int) -> list[Any]:
        """Return the last entries of an answer."""
        return self._read().newest(question_of(question), min(count, MOST_ENTRIES))

    def forwards(self, question: Sequence[Any]) -> list[Any]:
        """Return the first entries of an answer, and the question for those further on."""
        part = forwards(self._read(), question_of(question), PART_ENTRIES)
        return [part.entries, part.further]

    # ------------------------------------------------------------------ alarms and statistics
    def alarms(self) -> list[Any]:
        """Return the document of alarms, whether the monitor runs, its name, and the time."""
        places = self._places
        document, runs = current(places)
        return [document, runs, places.data.name, clock.wall_ns()]

    def _figures(self) -> StatisticsFile:
        if self._statistics is None:
            self._statistics = StatisticsFile(self._places.data / DIRECTORY, writes=False)
        return self._statistics

    def nodes(self) -> list[str]:
        """Return every node of which there are statistics."""
        return self._figures().nodes()

    def fields(self, node: str) -> list[str]:
        """Return every figure of a node of which there are points."""
        return self._figures().fields(node)

    def points(self, wanted: Sequence[Sequence[str]], since: int, until: int) -> list[Any]:
        """Return the points of some figures, each by node and field."""
        if len(wanted) > MOST_FIGURES:
            raise UsageError(f"at most {MOST_FIGURES} figures are answered at once")
        return self._figures().read_all([(node, field) for node, field in wanted], since, until)

    def order(self, order: dict[str, Any]) -> dict[str, Any]:
        """Give the monitor an order, and return its answer."""
        if not self._takes_orders:
            raise OrderRefused(
                "this link only shows what the monitor has: give the order on that host, with"
                " `isinglass alarms`"
            )
        return ask(self._places.runtime, order, ORDER_SECONDS)
