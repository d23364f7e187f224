"""Says that nothing fits a pattern that was given, where otherwise nothing would be printed."""

from __future__ import annotations

from isinglass.cli.options import near
from isinglass.cli.selection import fits, title, wanted
from isinglass.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from isinglass.glass.snapshot import Snapshot


def check_processes(snapshots: Sequence[Snapshot], globs: Sequence[str], ended: bool) -> None:
    """Go on when a process fits one of the globs, or there is none.

    Raises:
        UsageError: none fits.
    """
    processes = [process for snapshot in snapshots for process in snapshot.processes]
    if not globs or any(wanted(process, globs, ended) for process in processes):
        return
    if any(wanted(process, globs, True) for process in processes):
        raise UsageError(f"{_like('process', globs, ())} lives: give --ended, too.")
    names = [process.name for process in processes]
    raise UsageError(
        f"{_like('process', globs, names)} has been here: `isinglass ps --ended` lists them."
    )


def check_panels(snapshots: Sequence[Snapshot], globs: Sequence[str]) -> None:
    """Go on when a panel fits one of the globs, or there is none.

    Raises:
        UsageError: none fits.
    """
    if not globs:
        return
    names = {
        name
        for snapshot in snapshots
        for process in snapshot.processes
        for panel in process.panels
        for name in (panel.name, title(panel))
    }
    if not any(fits(name, globs) for name in names):
        raise UsageError(
            f"{_like('panel', globs, sorted(names))} is there: `isinglass dump` shows them all."
        )


def _like(what: str, globs: Sequence[str], names: Sequence[str]) -> str:
    """Return the beginning of the sentence, with the name that was perhaps meant."""
    meant = near(globs[0], names).removeprefix(", ")
    return f"No {what} like {' or '.join(globs)}{f' ({meant}?)' if meant else ''}"
