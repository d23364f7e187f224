"""LMDB's write lock in the hands of a real foreign process: seen, named, and waited for in time."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import lmdb
import pytest

from isinglass import clock
from isinglass.errors import StoreError
from isinglass.store import records
from isinglass.store.changes import CreateTable
from isinglass.store.database import Store
from isinglass.store.engine import LOCK_FILE, Engine
from isinglass.store.tables import TableShape
from isinglass.store.writer_lock import HELD_LIMIT_SECONDS, WriterLock, find_place
from programs import hear, program, tell

HOLD = """
import sys
import lmdb
environment = lmdb.open(sys.argv[1], max_dbs=16)
transaction = environment.begin(write=True)
print("ready", flush=True)
for line in sys.stdin:
    transaction.abort() if line == "abort\\n" else transaction.commit()
    print("free", flush=True)
"""
STEP = CreateTable("t", TableShape("", ()), records.version_bytes(7, 0))
PATIENCE_SECONDS = 30.0


def open_engine(path: Path) -> Engine:
    path.mkdir(exist_ok=True)
    return Engine(path, map_bytes=1 << 20, sync=False, readonly=False)


def nothing(_: object) -> None:
    """Write nothing."""


def test_the_word_is_found_on_this_machine() -> None:
    """Where it is not, daemons work, but wait for a foreign program as long as it likes."""
    place = find_place(lmdb.open, LOCK_FILE)
    assert place is not None and 0 < place < 256 and place % 4 == 0


def test_a_trial_that_fails_finds_nothing() -> None:
    def refuses(*_: object, **__: object) -> None:
        raise OSError("no room")

    assert find_place(refuses, LOCK_FILE) is None


def test_a_holder_is_named_within_the_limit_and_writing_goes_on(data_dir: Path) -> None:
    engine = open_engine(data_dir / "store")
    assert engine.writer_lock.holder() == 0
    with program(HOLD, str(data_dir / "store")) as holder:
        assert engine.writer_lock.holder() == holder.pid  # of its main thread
        for _ in range(2):
            started = clock.monotonic_ns()
            with pytest.raises(StoreError) as caught:
                engine.write(nothing)
            assert clock.monotonic_ns() - started >= HELD_LIMIT_SECONDS * 1e9
            sentence = str(caught.value)
            assert f"process {holder.pid} (" in sentence and "python" in sentence
            assert str(data_dir / "store") in sentence and "end it" in sentence
            assert "\n" not in sentence
        tell(holder, "commit")
        assert hear(holder) == "free"
        engine.write(nothing)
        assert engine.writer_lock.holder() == 0
    engine.close()


def test_files_that_could_not_be_opened_again_are_tried_again(data_dir: Path) -> None:
    engine = open_engine(data_dir / "store")
    with program(HOLD, str(data_dir / "store")) as holder:
        with pytest.raises(StoreError, match=f"process {holder.pid} "):
            engine._reopen()  # as after an error of the disk
        with pytest.raises(StoreError, match=f"process {holder.pid} "):
            engine.write(nothing)
        tell(holder, "commit")
        assert hear(holder) == "free"
        engine.write(nothing)
    assert engine.read(lambda scope: scope.get(b"k", scope.meta)) is None
    engine.close()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_holder_that_dies_is_in_nobodys_way(data_dir: Path, end: signal.Signals) -> None:
    engine = open_engine(data_dir / "store")
    with program(HOLD, str(data_dir / "store")) as holder:
        failed: list[Exception] = []
        writer = threading.Thread(target=lambda: _write(engine, failed))
        writer.start()
        holder.send_signal(end)
        holder.wait()
        writer.join(PATIENCE_SECONDS)
        assert not writer.is_alive() and not failed
        engine.write(nothing)
    engine.close()


def _write(engine: Engine, failed: list[Exception]) -> None:
    try:
        engine.write(nothing)
    except StoreError as error:
        failed.append(error)


def test_a_stopped_holder_is_named_too_and_a_store_is_not_opened_meanwhile(data_dir: Path) -> None:
    with Store.open(data_dir / "store") as store:
        store.apply([STEP])
    with program(HOLD, str(data_dir / "store")) as holder:
        os.kill(holder.pid, signal.SIGSTOP)
        with pytest.raises(StoreError, match=f"process {holder.pid} "):
            Store.open(data_dir / "store")
        os.kill(holder.pid, signal.SIGCONT)
        tell(holder, "abort")
        assert hear(holder) == "free"
        with Store.open(data_dir / "store") as store:
            store.apply([STEP])


class BlindLock(WriterLock):
    """A look that came a moment too early: the lock is taken between it and LMDB's wait."""

    def await_free(self) -> None:
        """See nothing."""


def test_a_writer_that_looked_too_early_is_told_of_by_another_thread(data_dir: Path) -> None:
    path = data_dir / "store"
    with Store.open(path) as store:
        engine = store._engine
        place = find_place(lmdb.open, LOCK_FILE)
        engine.writer_lock = BlindLock(path / LOCK_FILE, engine._lock_file, place)
        with program(HOLD, str(path)) as holder:
            assert store.held_up() is None
            writer = threading.Thread(target=store.apply, args=([STEP],))
            writer.start()
            until_ns = clock.monotonic_ns() + int(PATIENCE_SECONDS * 1e9)
            while (error := store.held_up()) is None:
                assert clock.monotonic_ns() < until_ns
                clock.sleep(0.02)
            assert f"process {holder.pid} " in str(error)
            tell(holder, "abort")
            assert hear(holder) == "free"
            writer.join(PATIENCE_SECONDS)
            assert not writer.is_alive() and store.held_up() is None
        assert [table.name for table in store.tables()] == ["t"]
