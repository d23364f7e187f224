"""Say where this thread is now: `mark("draining the queue")`, `mark.waiting("for work")`.

In an instrumented package (`glass/hook`) the statement is compiled to one store, and the functions
here are never called. Everywhere else, in a script, a notebook or `python -c`, `mark` looks at its
caller's frame: ten to twenty times slower, and the same word. The first call from a place finds the
site in the source, as the rewriter does; without source the line stands by itself with its label.

A mark never raises and never waits: whatever cannot be registered is shown by its line alone.
"""

from __future__ import annotations

import sys
import threading
from types import CodeType, FrameType

from isinglass.errors import SegmentError
from isinglass.glass import region
from isinglass.glass.layout import LINE_BITS
from isinglass.glass.sites import ENABLED, LAST_LINE, MODULE_IDS, SITES_NAME, Site, home_id

PLACES_LIMIT = 8192
LOOSE_SITES_LIMIT = 32


class _ThisThread(threading.local):
    """`this_thread.word`: the calling thread's probe word, claimed at its first use.

    The thread that imports this module claims its word then, since Python makes its part at once.
    """

    def __init__(self) -> None:
        self.word = region.thread_word()


this_thread = _ThisThread()
_module_of_id: dict[int, str] = {}


def reserve(module: str, wanted: int) -> int:
    """Return the number of a module in this process: `wanted`, or the next that is free.

    0, which stands for no module, when all 16,383 are taken. Needs no lock: `setdefault` is one
    step, so that a fork can never leave it held.
    """
    for step in range(MODULE_IDS - 1):
        number = (wanted - 1 + step) % (MODULE_IDS - 1) + 1
        if _module_of_id.setdefault(number, module) == module:
            return number
    return 0


def register(module_id: int, path: str, source_hash: str, sites: tuple[Site, ...]) -> None:
    """Make the sites of a file known to readers, as far as the segment has room for them."""
    try:
        region.register_file(module_id, path, source_hash, sites)
    except SegmentError:
        # The words still hold module and line; a full schema must not stop the program.
        pass


class _LooseFile:
    """A file whose marks are calls: its number, and the sites that are known so far."""

    def __init__(self, module: str, path: str) -> None:
        self.path = path
        self.module_id = reserve(f"{module} {path}", home_id(f"{module} {path}"))
        self.hash, self.sites = _read_sites(path)
        self.room = LOOSE_SITES_LIMIT
        if self.sites:
            self._register()

    def _register(self) -> None:
        register(self.module_id, self.path, self.hash, tuple(self.sites.values()))

    def constant(self, line: int, function: str, label: str, waits: bool) -> int:
        """Return the word of a line; one that the source does not explain is added as it is."""
        if line not in self.sites and self.room:
            self.room -= 1
            self.sites[line] = (line, function, label, waits)
            self._register()
        return self.module_id << LINE_BITS | line


def _read_sites(path: str) -> tuple[str, dict[int, Site]]:
    # The syntax tree costs 10 ms to import: only a process with marks that are calls pays.
    from isinglass.glass import marks, sites

    try:
        with open(path, "rb") as file:
            source = file.read()
        return sites.source_hash(source), {site[0]: site for site in marks.sites(source, path)}
    except (OSError, ValueError, SyntaxError):
        return "", {}


class Mark:
    """The type of `mark`; where marks are switched off its calls do nothing."""

    __slots__ = ("_codes", "_constants", "_files")

    def __init__(self) -> None:
        # By the address of the calling instruction, which lies inside its code object: to ask for
        # the line number would search a table, up to a microsecond in a long function.
        self._constants: dict[int, int] = {}
        self._codes: list[CodeType] = []
        self._files: dict[tuple[str, str], _LooseFile] = {}

    def __call__(self, label: str) -> None:
        """Say that this thread works here now.

        Args:
            label: what it does, in words for an operator; a literal costs least.
        """
        frame = sys._getframe(1)
        try:
            this_thread.word[0] = self._constants[id(frame.f_code) + frame.f_lasti]
        except KeyError:
            this_thread.word[0] = self._first(frame, label, False)

    def waiting(self, label: str) -> None:
        """Say that this thread is about to wait here: its time counts as idle.

        Args:
            label: what it waits for.
        """
        frame = sys._getframe(1)
        try:
            this_thread.word[0] = self._constants[id(frame.f_code) + frame.f_lasti]
        except KeyError:
            this_thread.word[0] = self._first(frame, label, True)

    def _first(self, frame: FrameType, label: str, waits: bool) -> int:
        code, line = frame.f_code, min(frame.f_lineno or 0, LAST_LINE)
        module = str(frame.f_globals.get("__name__", "?"))
        if instrumented := frame.f_globals.get(SITES_NAME):
            constant = int(instrumented[1]) << LINE_BITS | line
        else:
            file = self._files.get((module, code.co_filename))
            if file is None:
                file = self._files[module, code.co_filename] = _LooseFile(module, code.co_filename)
            constant = file.constant(line, code.co_qualname, label, waits)
        if len(self._codes) == PLACES_LIMIT:
            self._constants.clear()
            self._codes.clear()
        # The code is kept, so that no other gets its address.
        self._codes.append(code)
        self._constants[id(code) + frame.f_lasti] = constant
        return constant


class _SilentMark(Mark):
    """`mark` where `ISINGLASS_PROBES=0`, for the calls that no hook removes."""

    __slots__ = ()

    def __call__(self, label: str) -> None:
        """Do nothing."""

    def waiting(self, label: str) -> None:
        """Do nothing."""


mark: Mark = Mark() if ENABLED else _SilentMark()
