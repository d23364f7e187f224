"""Names of values as scripts write them: `queue.length`, `timer[statistics].runs`, `rate(...)`.

    path        [PROCESS/]PANEL[[INSTANCE]].FIELD[.PART]      PROCESS is a name, NAME:PID or a glob
    PART        of a latch its sub-field; of a histogram count, sum, mean, p50, p90, p99 or max
    value       path, rate(path), or verdict, heartbeat_age_seconds with an optional PROCESS/

Without PROCESS a path means the process that made the segment, the daemon; when that one has no
such panel, the first process that has. Pure: a function of one or two snapshots.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from isinglass.cli.selection import fits, title
from isinglass.cli.units import figures_of
from isinglass.errors import UsageError
from isinglass.glass.panel_views import FieldView, PanelView
from isinglass.glass.snapshot import Process, RateKey, Snapshot

Figure = int | float | str
Rates = Mapping[RateKey, float]

_PATH = re.compile(
    r"(?:(?P<process>[^/]+)/)?(?P<panel>[\w*?]+)(?:\[(?P<instance>[^\]]*)\])?\.(?P<field>[\w.*?]+)"
)
_OF_PROCESS = {
    "verdict": lambda process: process.verdict,
    "heartbeat_age_seconds": lambda process: process.heartbeat_age_seconds,
}


class FieldPath:
    """One parsed path.

    Raises:
        UsageError: the text is not a path.
    """

    __slots__ = ("_field", "_instance", "_of_process", "_panel", "_process", "is_rate", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        inner = re.fullmatch(r"rate\((.*)\)", text)
        self.is_rate = inner is not None
        body = inner[1].strip() if inner else text
        process, _, last = body.rpartition("/")
        self._of_process = last if last in _OF_PROCESS and not self.is_rate else ""
        if self._of_process:
            self._process, self._panel, self._field = process, "", ""
            self._instance: str | None = None
            return
        found = _PATH.fullmatch(body)
        if found is None:
            raise UsageError(
                f"{text!r} is not the name of a value; write PANEL.FIELD, as in queue.length."
            )
        self._process = found["process"] or ""
        self._panel, self._instance, self._field = (
            found["panel"],
            found["instance"],
            found["field"],
        )

    @property
    def name(self) -> str:
        """The value's name without process and instance; "" for one of the process itself."""
        return "" if self._of_process else f"{self._panel}.{self._field}"

    def names_one_of(self, names: Iterable[str]) -> bool:
        """Return whether it means one of these names, or a value of the process itself."""
        return not self.name or any(fits(name, (self.name,)) for name in names)

    def awaits_process(self, snapshot: Snapshot) -> bool:
        """Return whether it is of a process that is not there yet."""
        return bool(self._process) and not any(self._processes(snapshot))

    def fields(self, snapshot: Snapshot) -> Iterator[tuple[Process, PanelView, FieldView]]:
        """Yield every field that the path names; globs may name many."""
        # The field, the parts of a latch of that name, or the histogram whose part it is.
        wanted = (self._field, f"{self._field}.*", self._field.partition(".")[0])
        for process in self._processes(snapshot):
            for panel in process.panels:
                if fits(panel.name, (self._panel,)) and self._instance in (None, panel.instance):
                    for field in panel.fields:
                        if fits(field.name, wanted):
                            yield process, panel, field

    def _processes(self, snapshot: Snapshot) -> Iterator[Process]:
        if not self._process:
            having = [p for p in snapshot.processes if self._of_process or self._has(p)]
            yield from having[:1]  # The daemon has the first region.
            return
        for process in snapshot.processes:
            names = (process.name, f"{process.name}:{process.pid}", str(process.pid))
            if any(fits(name, (self._process,)) for name in names):
                yield process

    def _has(self, process: Process) -> bool:
        return any(fits(panel.name, (self._panel,)) for panel in process.panels)

    def figure(self, snapshot: Snapshot, rates: Rates) -> Figure | None:
        """Return the value of the first field that the path names; None when there is none yet."""
        if self._of_process:
            process = next(self._processes(snapshot), None)
            return _OF_PROCESS[self._of_process](process) if process else None
        for process, panel, field in self.fields(snapshot):
            if self.is_rate:
                return rates.get(rate_key(process, panel, field))
            value = self.part(field)
            if value is not None:
                return value
        return None

    @property
    def part_name(self) -> str:
        """Which figure of a histogram is meant."""
        return self._field.partition(".")[2] or "count"

    def part(self, field: FieldView) -> Figure | None:
        """Return the figure of a field that the path means; None when it means another field."""
        value = field.value
        if isinstance(value, int | float | str):
            return value if fits(field.name, (self._field,)) else None
        figures = {"count": value.count, "sum": value.sum, **figures_of(value)}
        return figures.get(self.part_name)


def rate_key(process: Process, panel: PanelView, field: FieldView) -> RateKey:
    """Return the key of a field in the result of `snapshot.rates`."""
    return process.slot, process.claim, panel.name, panel.instance, field.name


def field_names(snapshots: Iterable[Snapshot]) -> list[str]:
    """Return the paths of all fields, each once and without instances."""
    return sorted(
        {
            f"{panel.name}.{field.name}"
            for snapshot in snapshots
            for process in snapshot.processes
            for panel in process.panels
            for field in panel.fields
        }
    )


def field_name(panel: PanelView, field: FieldView) -> str:
    """Return the path of a field within its process: "timer[statistics].runs"."""
    return f"{title(panel)}.{field.name}"
