"""Readers of other processes: long ones shown with their age, dead ones cleared; forks; maps."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from isinglass import clock
from isinglass.errors import StoreError
from isinglass.store.changes import Writes
from isinglass.store.database import Store
from isinglass.store.readers import ReaderAges
from isinglass.store.reading import StoreReader
from programs import hear, program, tell
from store.store_model import create, value_record

HOLDS_A_SNAPSHOT = """
    import sys
    from isinglass.store.reading import StoreReader
    store = StoreReader.open(sys.argv[1])
    def hold(scope):
        print("ready", flush=True)
        sys.stdin.readline()
        return scope.get(b"!schema", scope.meta)
    store._engine.read(hold)
    print("done", flush=True)
    sys.stdin.readline()
"""
READS_ON_DEMAND = """
    import sys
    from isinglass.store.reading import StoreReader
    store = StoreReader.open(sys.argv[1], map_size_bytes=int(sys.argv[2]))
    print("ready", flush=True)
    for key in sys.stdin:
        print(store.get_value("t", key.strip()), sum(1 for _ in store.scan("t")), flush=True)
"""
SECOND = clock.NANOSECONDS_PER_SECOND


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store", durability="none") as made:
        made.apply([create("t", 1), Writes("t", {b"a": value_record(2, n=1)})])
        yield made


def commit(store: Store, stamp: int) -> None:
    store.apply([Writes("t", {b"b": value_record(stamp, n=stamp)})])


def test_a_long_reader_is_shown_with_process_and_age(store: Store, tmp_path: Path) -> None:
    now = clock.monotonic_ns()
    with program(HOLDS_A_SNAPSHOT, str(tmp_path / "store")) as process:
        commit(store, 3)
        commit(store, 4)
        [first] = [reader for reader in store.readers(now) if reader.active]
        assert (first.pid, first.age_seconds, first.dead) == (process.pid, 0.0, False)
        assert first.commits_behind == 2
        [later] = [reader for reader in store.readers(now + 90 * SECOND) if reader.active]
        assert later.age_seconds == 90.0
        tell(process, "let go")
        assert hear(process) == "done"
        assert not [reader for reader in store.readers(now + 91 * SECOND) if reader.active]
        assert store.clear_dead_readers() == 0


def test_a_dead_reader_is_named_and_cleared(store: Store, tmp_path: Path) -> None:
    now = clock.monotonic_ns()
    with program(HOLDS_A_SNAPSHOT, str(tmp_path / "store")) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        commit(store, 3)
        [dead] = [reader for reader in store.readers(now) if reader.active]
        assert (dead.pid, dead.dead, dead.commits_behind) == (process.pid, True, 1)
        used = store.statistics()
        for stamp in range(4, 30):
            commit(store, stamp)
        assert store.clear_dead_readers() == 1
        assert not [reader for reader in store.readers(now) if reader.active]
        for stamp in range(30, 60):
            commit(store, stamp)
        assert store.statistics().file_bytes < used.file_bytes + (1 << 20)
    assert store.verify().problems == []


def test_a_stopped_reader_stops_no_writer(store: Store, tmp_path: Path) -> None:
    with program(HOLDS_A_SNAPSHOT, str(tmp_path / "store")) as process:
        process.send_signal(signal.SIGSTOP)
        for stamp in range(3, 200):
            commit(store, stamp)
        [held] = [reader for reader in store.readers(0) if reader.active]
        assert (held.pid, held.dead, held.commits_behind) == (process.pid, False, 197)
        assert store.get_value("t", "b") == {"n": 199}


def test_readers_follow_a_map_that_grew(tmp_path: Path) -> None:
    path, small, large = tmp_path / "store", 1 << 20, 1 << 26
    with Store.open(path, map_size_bytes=small, durability="none") as store:
        store.apply([create("t", 1), Writes("t", {b"a": value_record(2, n=1)})])
    with program(READS_ON_DEMAND, str(path), str(small)) as process:
        tell(process, "a")
        assert hear(process) == "{'n': 1} 1"
        with Store.open(path, map_size_bytes=large, durability="none") as store:
            rows = {b"%06d" % n: value_record(3, n=n, s="x" * 900) for n in range(3000)}
            store.apply([Writes("t", rows)])
            assert store.statistics().file_bytes > 2 * small
            tell(process, "a")
            assert hear(process) == "{'n': 1} 3001"


def test_a_forked_child_reads_for_itself_and_leaves_the_parent_alone(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with Store.open(path, durability="none") as store:
        store.apply([create("t", 1), Writes("t", {b"a": value_record(2, n=1)})])
    reader = StoreReader.open(path)
    stop = threading.Event()
    wrong: list[object] = []

    def read_on() -> None:
        while not stop.is_set():
            value = reader.get_value("t", "a")
            if value != {"n": 1}:
                wrong.append(value)

    threads = [threading.Thread(target=read_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                fine = False
                try:
                    fine = reader.get_value("t", "a") == {"n": 1} == next(reader.scan("t")).value
                finally:
                    os._exit(not fine)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert reader.get_value("t", "a") == {"n": 1}
    reader.close()


def test_the_child_of_a_writer_cannot_write_nor_keep_the_store(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", durability="none")
    store.apply([create("t", 1)])
    gate, release = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(release)
            os.read(gate, 1)
            commit(store, 5)
        except StoreError as error:
            status = 0 if "forked" in str(error) else 2
        finally:
            os._exit(status)
    os.close(gate)
    store.close()
    with Store.open(tmp_path / "store") as again:
        commit(again, 7)
        os.close(release)
        assert os.waitpid(child, 0)[1] == 0
        assert again.get_value("t", "b") == {"n": 7}


def test_ages_start_when_a_snapshot_is_first_seen() -> None:
    ages = ReaderAges()
    heading = "    pid     thread     txnid\n"
    listing = heading + "      8297 7f0efd01cb80 501\n      8298 7f0efd01cb80 -\n"

    def observed(text: str, now: int) -> list[tuple[int, bool, float, int, bool]]:
        found = ages.observe(text, 503, now * SECOND, lambda pid: pid == 8297)
        return [(r.pid, r.active, r.age_seconds, r.commits_behind, r.dead) for r in found]

    assert observed(listing, 10) == [(8297, True, 0.0, 2, False), (8298, False, 0.0, 0, True)]
    assert observed(listing, 15)[0][2] == 5.0
    assert observed(listing.replace("501", "502"), 20)[0][2:4] == (0.0, 1)
    assert observed("(no active readers)\n", 21) == []
    assert observed(listing, 22)[0][2] == 0.0
