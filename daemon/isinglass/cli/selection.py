"""Which processes, panels and fields a command shows, from its options."""

from __future__ import annotations

from isinglass.cli.options import Option
from isinglass.cli.units import is_zero

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from isinglass.cli.options import Values
    from isinglass.glass.snapshot import FieldView, PanelView, Process

LEVELS = ("info", "diagnostic", "debug")
WILDCARDS = frozenset("*?[")

OPTIONS = (
    Option("panel", "Only the panels whose name fits.", value="GLOB", repeat=True),
    Option("process", "Only the processes whose name or pid fits.", value="GLOB", repeat=True),
    Option(
        "level",
        "How much detail: diagnostic adds to info, debug to both.",
        value="LEVEL",
        choices=LEVELS,
        default="info",
    ),
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


class Selection:
    """The choice that the options above make."""

    __slots__ = ("_hide_zero", "_levels", "_panels", "_processes")

    def __init__(self, values: Values) -> None:
        self._panels = values.texts("panel")
        self._processes = values.texts("process")
        self._levels = frozenset(LEVELS[: LEVELS.index(values.text("level")) + 1])
        self._hide_zero = values.flag("hide-zero")

    def process(self, process: Process) -> bool:
        """Return whether a process is chosen."""
        globs = self._processes
        return fits(process.name, globs) or fits(str(process.pid), globs)

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
