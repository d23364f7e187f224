"""The input thread of a console: it hands on what is typed, sleeps else, and ends when asked to."""

from __future__ import annotations

import asyncio
import os
import resource
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from textual.app import App
from textual.events import Key
from textual.message import Message

from isinglass import clock
from isinglass_console.sleeping_driver import SleepingDriver


class Told(SleepingDriver):
    """A driver that keeps the keys it is told of."""

    def __init__(self, fileno: int) -> None:
        super().__init__(App(), mouse=False)
        self.fileno = fileno
        self.keys: list[str] = []
        self.typed = threading.Event()

    def process_message(self, message: Message) -> None:
        if isinstance(message, Key):
            self.keys.append(message.key)
            self.typed.set()


async def _made(fileno: int) -> Told:
    return Told(fileno)  # which asks for the loop that runs


@contextmanager
def reading() -> Iterator[tuple[Told, int]]:
    """Run a driver's input thread on a pseudo-terminal; yield it and the terminal's other end."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    driver = asyncio.run(_made(theirs))
    thread = driver._key_thread = threading.Thread(target=driver.run_input_thread)
    thread.start()
    try:
        yield driver, ours
    finally:
        driver.disable_input()
        assert not thread.is_alive()
        os.close(ours)
        os.close(theirs)


def test_keys_come_as_they_are_typed_and_escape_by_time_alone() -> None:
    with reading() as (driver, terminal):
        for typed, key in ((b"q", "q"), (b"\x1b[A", "up"), (b"\x1b", "escape")):
            driver.typed.clear()
            os.write(terminal, typed)
            assert driver.typed.wait(5.0)
            assert driver.keys[-1] == key


def test_it_ends_at_once_and_can_begin_again() -> None:
    with reading():
        clock.sleep(0.05)
        asked_ns = clock.monotonic_ns()
    assert clock.monotonic_ns() - asked_ns < 2e9


def test_nobody_types_and_it_is_not_woken() -> None:
    with reading():
        clock.sleep(1.5)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        clock.sleep(1.0)
        woken = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before
    assert woken < 5
