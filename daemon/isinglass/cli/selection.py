"""Which processes, panels and fields a command shows, from its options."""

from __future__ import annotations

from isinglass.cli.options import Option
from isinglass.cli.units import is_zero

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from isinglass.cli.options import Values
    from isinglass.glass.panel_views import FieldView, PanelView
    from isinglass.glass.snapshot import Process

LEVELS = ("info", "diagnostic", "debug")
WILDCARDS = frozenset("*?[")

PROCESS = Option("process", "Only the processes whose name or pid fits.", value="GLOB", repeat=True)
ENDED = Option("ended", "Show processes that ended cleanly, too; the killed are always shown.")
OPTIONS = (
    Option("panel", "Only the panels whose name fits.", value="GLOB", repeat=True),
    PROCESS,
    Option(
        "level",
        "How much detail: diagnostic adds to info, debug to both.",
        value="LEVEL",
        choices=LEVELS,
        default="info",
    ),
    ENDED,
    Option("hide-zero", "Leave out what is zero, empty or never happened."),
)


def fits(name: str, globs: Sequence[str]) -> bool:
    """Return whether a name fits one of the globs, or there is none."""
    if not globs or name in globs:
        return True
    patterns = [glob for glob in globs if WILDCARDS.intersection(glob)]
    if not patterns:
        return False
    from fnmatch import fnmatchcase  # imports re, which costs a plain dump half its time

    return any(fnmatchcase(name, pattern) for pattern in patterns)


def wanted(process: Process, globs: Sequence[str], ended: bool) -> bool:
    """Return whether a process is chosen by name or pid, and has not ended as it should.

    A client that came, did its work and went is no news; a daemon that ended is.
    """
    if process.verdict == "clean exit" and process.slot and not ended:
        return False
    return fits(process.name, globs) or fits(str(process.pid), globs)


class Selection:
    """The choice that the options above make."""

    __slots__ = ("_ended", "_hide_zero", "_levels", "_panels", "_processes")

    def __init__(self, values: Values) -> None:
        self._panels = values.texts("panel")
        self._processes, self._ended = values.texts("process"), values.flag("ended")
        self._levels = frozenset(LEVELS[: LEVELS.index(values.text("level")) + 1])
        self._hide_zero = values.flag("hide-zero")

    def process(self, process: Process) -> bool:
        """Return whether a process is chosen."""
        return wanted(process, self._processes, self._ended)

    def passed_over(self, processes: Sequence[Process]) -> str:
        """Return a line about processes that ended cleanly and are not shown; empty for none."""
        count = sum(process.verdict == "clean exit" for process in processes) - sum(
            process.verdict == "clean exit" for process in filter(self.process, processes)
        )
        if self._processes or not count:
            return ""
        return f"{count} more ended cleanly, --ended shows them"

    def panels(self, process: Process) -> Iterator[tuple[PanelView, list[FieldView]]]:
        """Yield the chosen panels of a process with their chosen fields, none without fields."""
        for panel in process.panels:
            if fits(panel.name, self._panels) or fits(title(panel), self._panels):
                fields = [field for field in panel.fields if self._field(field)]
                if fields:
                    yield panel, fields

    def _field(self, field: FieldView) -> bool:
        return field.level in self._levels and not (self._hide_zero and is_zero(field))


def title(panel: PanelView) -> str:
    """Return a panel's name, with its instance when there are several: "timer[statistics]"."""
    return f"{panel.name}[{panel.instance}]" if panel.instance else panel.name
