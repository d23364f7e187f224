"""A foreign program that holds the store's write lock: named in time, then no trouble."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import isinglass
from daemon_process import DaemonProcess, daemon
from isinglass.errors import StoreError
from programs import hear, program, tell
from waiting import wait_until

HOLD = """
import sys
import lmdb
with lmdb.open(sys.argv[1], max_dbs=16).begin(write=True):
    print("ready", flush=True)
    sys.stdin.readline()
print("free", flush=True)
"""
WAIT_SECONDS = 20.0


@pytest.fixture
def oak() -> Iterator[DaemonProcess]:
    """A daemon with one record."""
    with daemon("oak", stop_limit_seconds=5) as process:
        with isinglass.connect("oak") as database:
            database.create_table("t")
            database.put("t", "before", {"n": 0}, durability="commit")
        yield process


def trouble(oak: DaemonProcess) -> str:
    return str(oak.panel("daemon")["trouble"])


def test_writes_are_refused_meanwhile_and_go_on_afterwards(
    oak: DaemonProcess, data_dir: Path
) -> None:
    with isinglass.connect("oak") as database:
        with program(HOLD, str(data_dir / "oak")) as holder:
            # The one who waits for the disk is told, long before its own limit of 30 s.
            with pytest.raises(StoreError, match=f"process {holder.pid} .*end it"):
                database.put("t", "waits", {"n": 1}, durability="commit")
            assert f"process {holder.pid} " in wait_until(lambda: trouble(oak), "a trouble")
            with pytest.raises(StoreError, match=f"process {holder.pid} "):
                database.put("t", "refused", {"n": 2})
            assert database.get("t", "before") == {"n": 0}
            assert [key for key, _ in database.scan("t")] == ["before"]
            tell(holder, "enough")
            assert hear(holder) == "free"
        wait_until(lambda: not trouble(oak), "no trouble any more")
        database.put("t", "after", {"n": 3}, durability="commit")
        # It was kept, though its writer was told that it is not on the disk.
        assert database.get("t", "waits") == {"n": 1}
        assert database.get("t", "refused") is None


@pytest.mark.slow
def test_a_stop_meanwhile_loses_nothing(oak: DaemonProcess, data_dir: Path) -> None:
    with program(HOLD, str(data_dir / "oak")) as holder:
        with isinglass.connect("oak") as database:
            for number in range(50):
                database.put("t", f"key {number}", {"n": number})
        assert oak.stop() == 0
        assert (data_dir / "oak" / "kept-aside").stat().st_size > 0
        with pytest.raises(AssertionError, match=f"process {holder.pid} "):
            oak.start()
        oak.process.wait(WAIT_SECONDS)
    oak.start()
    with isinglass.connect("oak") as database:
        assert {key for key, _ in database.scan("t")} == {"before"} | {
            f"key {number}" for number in range(50)
        }


def test_a_stop_that_can_keep_nothing_aside_says_what_is_lost(
    oak: DaemonProcess, data_dir: Path, runtime_dir: Path
) -> None:
    with program(HOLD, str(data_dir / "oak")):
        with isinglass.connect("oak") as database:
            database.put("t", "lost", {"n": 1})
        for folder in (data_dir, runtime_dir):
            (folder / "oak" / "kept-aside").mkdir()
        oak.process.terminate()
        assert oak.process.stderr is not None
        said = oak.process.stderr.read()
        assert oak.gone() == 1
    assert said.startswith("isinglass: 1 acknowledged updates are lost: ")
    assert len(said.splitlines()) == 1
