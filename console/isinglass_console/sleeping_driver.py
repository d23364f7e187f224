"""Textual's driver for a terminal, with an input thread that sleeps until something is typed.

Textual's own looks ten times a second whether it is asked to end, which takes 0.9 ms of CPU; this
one is woken for it. For a second after some input it looks as often as Textual's does: what begins
like the sequence of a key may turn out to be the Escape key, by time alone.
"""

from __future__ import annotations

import os
import select
from codecs import getincrementaldecoder
from typing import Any

from textual.drivers.linux_driver import LinuxDriver

from isinglass_console.pasting import PasteParser

READ_BYTES = 4096
LOOK_MILLISECONDS = 100
LOOKS_AFTER_INPUT = 10


class SleepingDriver(LinuxDriver):
    """A driver that costs nothing while nobody types."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._wake_read, self._wake_write = os.pipe()

    def disable_input(self) -> None:
        """End the input thread, which is woken for it."""
        os.write(self._wake_write, b"e")
        super().disable_input()
        os.read(self._wake_read, 1)

    def run_input_thread(self) -> None:
        """Read what is typed and hand it on, until the driver ends."""
        parser = PasteParser(self._debug)
        decode = getincrementaldecoder("utf-8")().decode
        waiting = select.poll()
        waiting.register(self.fileno, select.POLLIN)
        waiting.register(self._wake_read, select.POLLIN)
        looks_left = LOOKS_AFTER_INPUT
        while not self.exit_event.is_set():
            ready = waiting.poll(LOOK_MILLISECONDS if looks_left else None)
            looks_left = max(looks_left - 1, 0)
            if any(descriptor == self.fileno for descriptor, _ in ready):
                looks_left = LOOKS_AFTER_INPUT
                if not (read := os.read(self.fileno, READ_BYTES)):
                    return  # the terminal is gone (`hangup`), and nothing will ever come
                typed = decode(read)
                for message in parser.feed(typed) if typed else ():
                    self.process_message(message)
            for message in parser.tick():
                self.process_message(message)
