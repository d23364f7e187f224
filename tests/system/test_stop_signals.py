"""A signal that ends a daemon is never lost, whichever thread it comes to and whatever goes on."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import isinglass
from daemon_process import DaemonProcess, daemon
from isinglass import clock
from isinglass.glass.snapshot import Verdict

STOP, TERM, CONT = signal.SIGSTOP, signal.SIGTERM, signal.SIGCONT
ORDERS = [
    (STOP, TERM, CONT),
    (TERM, STOP, CONT),
    (STOP, CONT, TERM),
    (STOP, TERM, TERM, CONT),
    (STOP, CONT, STOP, TERM, CONT),
    (STOP, CONT, TERM, STOP, CONT),
    (STOP, signal.SIGINT, CONT),
    (STOP, signal.SIGHUP, CONT),
]
PAUSES = (0.0, 0.001, 0.02)
"""Seconds between two signals: none, a step of the scheduler, and time to go to sleep again."""


@pytest.fixture
def oak() -> Iterator[DaemonProcess]:
    """A daemon that has been at work."""
    with daemon("oak") as process:
        with isinglass.connect("oak") as database:
            database.create_table("t")
            database.put("t", "key", {"n": 1})
        yield process


def assert_ended(oak: DaemonProcess) -> None:
    """Wait for the daemon's end, which `DaemonProcess` gives a limit, and look how it ended."""
    assert oak.gone() == 0
    owner = oak.snapshot().owner
    assert owner is not None and owner.verdict == Verdict.CLEAN_EXIT


@pytest.mark.parametrize("thread", ["MainThread", "applier", "port", "timer", "no mark"])
def test_every_thread_may_get_the_signal(oak: DaemonProcess, thread: str) -> None:
    """The kernel tries the thread first whose number kill(2) was given."""
    owner = oak.snapshot().owner
    assert owner is not None
    numbers = {probed.name: probed.tid for probed in owner.threads}
    all_numbers = {int(task.name) for task in Path(f"/proc/{oak.pid}/task").iterdir()}
    # the heartbeat's thread has no mark
    numbers["no mark"] = (all_numbers - set(numbers.values())).pop()
    os.kill(numbers[thread], TERM)
    assert_ended(oak)


@pytest.mark.parametrize(("order", "pause"), itertools.product(ORDERS, PAUSES))
def test_no_order_of_stop_and_go_loses_it(
    oak: DaemonProcess, order: tuple[signal.Signals, ...], pause: float
) -> None:
    for number in order:
        os.kill(oak.pid, number)
        clock.sleep(pause)
    assert_ended(oak)
