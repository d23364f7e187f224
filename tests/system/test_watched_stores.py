"""Disks and stores of real nodes go bad in several ways at once: each is told by its own rule."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import isinglass
from daemon_process import DaemonProcess
from held import small_disk
from held_thread import held, wait_until_held
from isinglass.errors import IsinglassError
from programs import program
from watched import watching

pytestmark = pytest.mark.slow

LONG_TRANSACTIONS = """
import sys, time
import lmdb
with lmdb.open(sys.argv[1], max_dbs=16) as store:
    print("ready", flush=True)
    while True:
        with store.begin(write=True):
            time.sleep(0.9)
        before, until = store.info()["last_txnid"], time.monotonic() + 0.1
        while store.info()["last_txnid"] == before and time.monotonic() < until:
            pass
"""
"""Shorter than what the daemon takes for a store that is held for good: so it gets on, slowly, by a
batch or a few at a time, however fast the machine is."""


@contextmanager
def writing(node: str, together: int = 15, pause_seconds: float = 0.05) -> Iterator[None]:
    """Let a client of a node write new records for a block, some 300 a second."""
    ending = threading.Event()

    def write() -> None:
        number = 0
        with isinglass.connect(node) as client:
            client.create_table("orders")
            while not ending.wait(pause_seconds):
                numbers = range(number, number + together)
                with suppress(IsinglassError):
                    client.put_many("orders", ((str(n), {"number": n}) for n in numbers))
                number += together

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def thread_of(daemon: DaemonProcess, name: str) -> int:
    """Return the number of a daemon's thread."""
    owner = daemon.snapshot().owner
    assert owner is not None
    return next(thread.tid for thread in owner.threads if thread.name == name)


def fill(disk: Path) -> Path:
    """Write a file until nothing more fits on the disk; return it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return filler


@pytest.mark.root
def test_a_disk_that_hangs_one_that_is_slow_and_one_that_is_full(
    tmp_path: Path, data_dir: Path
) -> None:
    """Birch's disk takes no batch any more, cedar's store is slow, damson's disk is full, and
    elder's does not answer to a flush.

    The queues are short, and nobody is held to a pace, so that this needs no minutes.
    """
    told = [
        ("no-progress", "birch"),
        ("lag", "cedar"),
        ("backlog", "cedar"),
        ("timer-overdue", "elder"),
        ("store-refuses", "damson"),
        ("applier-fails", "damson"),
    ]
    with (
        small_disk(data_dir / "damson", "24m") as small,
        watching(
            tmp_path, nodes=5, flow_control="false", queue_limit_entries=2000, batch_limit=10
        ) as watched,
        writing("alder"),
    ):
        birch, elder = watched.daemons["birch"], watched.daemons["elder"]
        with (
            program(LONG_TRANSACTIONS, str(data_dir / "cedar")),
            held(birch.pid, thread_of(birch, "applier")) as applier,
            held(elder.pid, thread_of(elder, "timer")) as timer,
        ):
            wait_until_held(applier)
            wait_until_held(timer)
            filler = fill(small)
            watched.wait_told(*(("raised", *about) for about in told))
            held_back = {(a["rule"], a["node"]): a["held_back"] for a in watched.alarms()["alarms"]}
            assert held_back["lag", "birch"] == "caused", "by no-progress"
            assert held_back["backlog", "damson"] == "caused", "by store-refuses"
            filler.unlink()
        # The backlog's must be clear for ten seconds; the others show that alarms end.
        watched.wait_told(*(("cleared", *about) for about in told if about[0] != "backlog"))
        assert {what[1:] for what in watched.told()} == set(told)
