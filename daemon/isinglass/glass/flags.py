"""Debug flags: `if QUEUE: QUEUE("batch applied", records=n)`, which costs about a load when off.

    QUEUE = flag("queue")

A flag *is* its word in the control page (`control`): an integer of the module ctypes, whose truth
the interpreter finds by looking at that memory. There is nothing in between that would have to run,
so a switch takes effect in a process that hangs as soon as it gets on. A flag that is on is called
with the event; the call sees that its time is not over and that it is not too much: of each flag no
more than its rate a second and process, the others are counted and told.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import threading

from isinglass import clock
from isinglass.errors import SegmentError
from isinglass.glass import control
from isinglass.glass.events import EVENTS
from isinglass.glass.mapping import lay_file, lay_nothing
from isinglass.glass.severity import DEBUG

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,30}")


class Flag(ctypes.c_uint64):
    """One debug flag; `flag` makes it. True while it is on."""

    name: str
    place: int
    _second: int
    _said: int
    _left_out: int

    def __call__(self, message: str, /, **fields: object) -> None:
        """Store an event of severity DEBUG, if the flag is on and has not said too much."""
        now = clock.wall_ns()
        until, rate = PAGE.until_and_rate(self)
        if now >= until:
            PAGE.put_out(self)
            return
        second = now // clock.NANOSECONDS_PER_SECOND
        if second != self._second:
            left_out, self._left_out = self._left_out, 0
            self._second, self._said = second, 0
            if left_out:
                EVENTS.emit(DEBUG, self.name, "debug events left out", {"count": left_out})
        self._said += 1
        if self._said > rate:
            self._left_out += 1
            return
        EVENTS.emit(DEBUG, self.name, message, fields)


class Page:
    """This process's view of its node's control page: memory at an address that never moves."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, control.PAGE_BYTES)
        self._bytes = memoryview(self._memory)
        self._words = self._bytes.cast("Q")
        self._flags: dict[str, Flag] = {}
        self._lock = threading.Lock()
        self._writable = True

    def flag(self, name: str) -> Flag:
        """Return the flag of that name, always the same object.

        Raises:
            ValueError: the name does not fit.
        """
        with self._lock:
            known = self._flags.get(name)
            if known is None:
                if not NAME.fullmatch(name):
                    raise ValueError(f"a flag's name is {NAME.pattern}, not {name!r}")
                place = control.place_of(name)
                known = self._flags[name] = Flag.from_buffer(self._memory, place)
                known.name, known.place = name, place
                known._second = known._said = known._left_out = 0
                self._declare(known)
            return known

    def _declare(self, flag: Flag) -> None:
        """Write the flag's name into its entry, by which it can be switched."""
        start = flag.place + control.NAME_PLACE
        if self._writable and not self._bytes[start]:
            name = flag.name.encode()
            self._bytes[start : start + len(name)] = name

    def until_and_rate(self, flag: Flag) -> tuple[int, int]:
        """Return until when (wall ns) the flag is on, and its rate; never for another's entry."""
        start = flag.place + control.NAME_PLACE
        name = flag.name.encode().ljust(control.NAME_BYTES, b"\0")
        if self._bytes[start : start + control.NAME_BYTES] != name:
            return 0, 0
        word = flag.place // 8
        return self._words[word + 1], self._words[word + 2]

    def put_out(self, flag: Flag) -> None:
        """Switch a flag off whose time is over, unless it is another's with the same place."""
        if self._writable and self._words[flag.place // 8 + 1] <= clock.wall_ns():
            flag.value = 0

    def attach(self, node: str, *, create: bool) -> None:
        """Show the page of a node; without one, or one that cannot be used, all flags are off."""
        path = control.page_path(node)
        try:
            if create:
                control.create(path)
            try:
                descriptor, writable = control.open_page(path, write=True), True
            except PermissionError:
                descriptor, writable = control.open_page(path, write=False), False
        except (OSError, SegmentError):
            self.detach()
            return
        try:
            with self._lock:
                lay_file(self._memory, descriptor, 0, writable=writable)
                self._writable = writable
                for flag in self._flags.values():
                    self._declare(flag)
        finally:
            os.close(descriptor)

    def detach(self) -> None:
        """Go on without a page: all flags are off."""
        with self._lock:
            lay_nothing(self._memory)
            self._writable = True

    def after_fork(self) -> None:
        """In a forked child: the lock may have been held by a thread that is not there."""
        self._lock = threading.Lock()


PAGE = Page()
flag = PAGE.flag
