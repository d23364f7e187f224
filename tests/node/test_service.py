"""The daemon's threads at work: what its panels, timers, tables and readers show, and its end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest

import isinglass
from daemon_process import DaemonProcess, daemon
from isinglass import clock, errors
from isinglass.glass import layout
from isinglass.glass.snapshot import Snapshot
from isinglass.store.reading import StoreReader
from panel_figures import real, whole
from programs import program

LIMIT_SECONDS = 15.0


@pytest.fixture
def oak() -> Iterator[DaemonProcess]:
    """A daemon with the settings that it has by itself."""
    with daemon("oak") as process:
        yield process


def wait_until(oak: DaemonProcess, holds: Callable[[Snapshot], bool]) -> Snapshot:
    """Return the first snapshot of which something holds: the daemon's tasks run each second."""
    until = clock.monotonic_ns() + int(LIMIT_SECONDS * 1e9)
    while not holds(snapshot := oak.snapshot()):
        assert clock.monotonic_ns() < until
        clock.sleep(0.02)
    return snapshot


def main_waits(snapshot: Snapshot) -> bool:
    """Tell whether the main thread waits, as it does soon after it said that it is ready."""
    assert snapshot.owner is not None
    sites = {thread.name: thread.site for thread in snapshot.owner.threads}
    return (site := sites["MainThread"]) is not None and site.waits


def test_the_daemon_shows_what_it_is_and_its_threads(oak: DaemonProcess) -> None:
    snapshot = wait_until(oak, main_waits)
    panel = oak.panel("daemon")
    assert panel["version"] == isinglass.__version__
    assert (panel["state"], panel["durability"], panel["trouble"]) == ("serving", "second", "")
    assert 0 < whole(panel, "started") < clock.wall_ns()
    assert snapshot.owner is not None
    names = {thread.name for thread in snapshot.owner.threads}
    assert {"MainThread", "applier", "port", "timer"} <= names
    assert snapshot.state == "ready"


def test_queue_applier_store_and_port_agree_on_what_was_written(oak: DaemonProcess) -> None:
    with isinglass.connect("oak") as database:
        database.create_table("t", group_by="/")
        for turn in range(5):
            database.put_many("t", {f"{n % 40}/{n}": {"turn": turn} for n in range(400)})
        database.flush("commit")
        snapshot = wait_until(oak, lambda s: s.panel("store") is not None and shows_rows(s, 400))
    queue, applier = snapshot.panel("queue"), snapshot.panel("applier")
    port, store = snapshot.panel("port"), snapshot.panel("store")
    assert queue is not None
    assert applier is not None
    assert port is not None
    assert store is not None
    assert queue["offered"] == 2001  # and one creation of a table
    assert (queue["length"], queue["applied_through"]) == (0, 2001)
    merged = sum(whole(queue, rule) for rule in ("superseded", "stale", "dropped", "rolled"))
    assert merged + whole(queue, "written") == 2001
    assert whole(queue, "rolled") >= 360  # forty groups of ten
    assert applier["batches"] == queue["batches"]
    assert applier["writes"] == queue["written"]
    assert port["updates"] == 2000
    assert 0 < real(applier, "working_time") < real(applier, "waiting_time") + 60
    assert whole(applier, "flushes") == 1
    assert store["state"] == "ready"


def shows_rows(snapshot: Snapshot, rows: int) -> bool:
    return any(row.rows == rows for row in snapshot.tables)


def test_the_applier_is_busy_under_load_and_idle_after_it(oak: DaemonProcess) -> None:
    def load(snapshot: Snapshot) -> float:
        applier = snapshot.panel("applier")
        return real(applier, "load_1s") if applier else 0.0

    with isinglass.connect("oak", timeout_seconds=30) as database:
        database.create_table("t", indexes=["n"])

        def busy(snapshot: Snapshot) -> bool:
            start = clock.monotonic_ns() % 50_000
            database.put_many("t", ((f"k{start + n}", {"n": n}) for n in range(4000)))
            return load(snapshot) > 0.3

        wait_until(oak, busy)
        database.flush()
    wait_until(oak, lambda snapshot: load(snapshot) < 0.05)


def test_every_periodic_task_has_a_row_and_runs(oak: DaemonProcess) -> None:
    def rows(snapshot: Snapshot) -> dict[str, int]:
        assert snapshot.owner is not None
        panels = [panel for panel in snapshot.owner.panels if panel.name == "timer"]
        return {panel.instance: whole(panel, "runs") for panel in panels}

    snapshot = wait_until(oak, lambda s: all(runs >= 2 for runs in rows(s).values()))
    assert {"flush", "statistics", "tables", "readers", "reclaim"} <= set(rows(snapshot))
    assert snapshot.owner is not None
    for panel in snapshot.owner.panels:
        if panel.name == "timer":
            assert panel["failures"] == 0
            assert whole(panel, "next_run") > whole(panel, "last_run") > 0
            assert 0 <= real(panel, "overdue") < LIMIT_SECONDS


def test_tables_and_indexes_are_listed_with_their_rows(oak: DaemonProcess) -> None:
    with isinglass.connect("oak") as database:
        database.create_table("orders", indexes=["customer", "day"])
        database.create_table("gone")
        database.put_many("orders", {str(n): {"customer": n % 3} for n in range(30)})
        wait_until(oak, lambda s: {row.name for row in s.tables} >= {"orders", "gone"})
        database.drop_table("gone")
        snapshot = wait_until(
            oak, lambda s: shows_rows(s, 30) and "gone" not in {row.name for row in s.tables}
        )
    listed = {(row.name, row.index_of): row.rows for row in snapshot.tables}
    assert listed == {("orders", ""): 30, ("customer", "orders"): 30, ("day", "orders"): 0}


def test_more_tables_than_the_segment_lists_keep_no_daemon_from_starting_or_ending(
    oak: DaemonProcess,
) -> None:
    listed = layout.TABLE_ENTRIES
    with isinglass.connect("oak", timeout_seconds=60) as database:
        tables = listed // 17 + 1  # each with 16 indexes
        for number in range(tables):
            database.create_table(f"t{number:02}", indexes=[f"f{n}" for n in range(16)])
        database.put("t00", "k", {"f1": 1}, durability="commit")
        assert oak.stop() == 0
        oak.start()
        snapshot = wait_until(oak, lambda s: len(s.tables) == listed and shows_rows(s, 1))
        assert len(snapshot.tables) == listed
        assert snapshot.owner is not None
        left_out = [e for e in snapshot.owner.events if "no room" in e.message]
        assert [e.fields["count"] for e in left_out] == [str(tables * 17 - listed)]
        assert database.get("t00", "k") == {"f1": 1}


def test_what_a_drop_leaves_is_given_back(oak: DaemonProcess) -> None:
    with isinglass.connect("oak") as database:
        database.create_table("t")
        database.put_many("t", {str(number): {"n": number} for number in range(3000)})
        database.drop_table("t")

    def deleted(snapshot: Snapshot) -> int:
        store = snapshot.panel("store")
        return whole(store, "garbage_deleted") if store else 0

    wait_until(oak, lambda s: deleted(s) + whole(s.panel("queue"), "dropped") >= 3000)


def test_a_long_reader_is_shown_with_its_process_and_a_dead_one_is_cleared(
    oak: DaemonProcess,
) -> None:
    with isinglass.connect("oak") as database:
        database.create_table("t")
        holding = """
            import sys, lmdb
            environment = lmdb.open(sys.argv[1], readonly=True, max_dbs=3)
            snapshot = environment.begin()
            print("ready", flush=True)
            sys.stdin.read()
        """
        path = str(oak.panel("daemon")["data_directory"])
        with program(holding, path) as holder:
            for number in range(20):
                database.put("t", "1", {"n": number}, durability="commit")

            def shown(snapshot: Snapshot) -> bool:
                assert snapshot.owner is not None
                readers = [p for p in snapshot.owner.panels if p.name == "reader"]
                return any(
                    panel["pid"] == holder.pid
                    and whole(panel, "behind") >= 20
                    and real(panel, "age") > 0.5
                    and "python" in str(panel["command"])
                    for panel in readers
                )

            wait_until(oak, shown)
            holder.kill()
            holder.wait()
            wait_until(oak, lambda s: whole(s.panel("store"), "readers_cleared") >= 1)


def test_a_clean_stop_writes_what_is_queued(data_dir: object) -> None:
    with daemon("oak", gather_seconds=10) as oak:
        with isinglass.connect("oak") as database:
            database.create_table("t")
            database.put_many("t", {str(number): {"n": number} for number in range(500)})
            path = str(oak.panel("daemon")["data_directory"])
            assert whole(oak.panel("queue"), "length") == 500
            assert oak.stop() == 0
        assert oak.snapshot().state == "clean exit"
        with StoreReader.open(path) as store:
            assert {r.key: r.value for r in store.scan("t")} == {
                str(number): {"n": number} for number in range(500)
            }


def test_full_batches_are_taken_at_once_and_hold_what_is_allowed(data_dir: object) -> None:
    with daemon("oak", gather_seconds=10, batch_limit=50) as oak:
        with isinglass.connect("oak") as database:
            database.create_table("t")
            started = clock.monotonic_ns()
            for first in range(0, 2000, 10):
                database.put_many("t", {str(first + n): {"n": n} for n in range(10)})
            wait_until(oak, lambda s: whole(s.panel("queue"), "length") == 0)
            assert clock.monotonic_ns() - started < 8e9
        panel = oak.panel("applier")
        assert panel["batch_limit"] == 50
        assert whole(panel, "batches") >= 2000 // 50


def test_stamps_go_on_above_those_of_the_last_daemon(oak: DaemonProcess) -> None:
    path = str(oak.panel("daemon")["data_directory"])
    with isinglass.connect("oak") as database:
        database.create_table("t")
        for number in range(3):
            database.put("t", "1", {"n": number}, durability="commit")
            oak.kill()
            oak.start()
    with StoreReader.open(path) as store:
        record = store.get("t", "1")
        assert record is not None
        assert record.value == {"n": 2}
    with isinglass.connect("oak") as database:
        assert database._session.words.latest_stamp >= record.stamp


def test_a_stop_lets_those_finish_who_wait_for_the_disk(oak: DaemonProcess) -> None:
    answers: list[str] = []

    def write(name: str) -> None:
        with isinglass.connect("oak", timeout_seconds=4) as database:
            number = 0
            while True:
                try:
                    database.put("t", f"{name}/{number}", {"n": number}, durability="commit")
                except errors.ClientError:
                    return
                answers.append(f"{name}/{number}")
                number += 1

    with isinglass.connect("oak") as database:
        database.create_table("t")
    threads = [threading.Thread(target=write, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    wait_until(oak, lambda s: whole(s.panel("port"), "updates") > 100)
    path = str(oak.panel("daemon")["data_directory"])
    assert oak.stop() == 0
    for thread in threads:
        thread.join(LIMIT_SECONDS)
    with StoreReader.open(path) as store:
        stored = {record.key for record in store.scan("t")}
    assert set(answers) <= stored
    assert len(answers) > 100


def test_the_service_manager_hears_of_readiness_and_the_end(tmp_path: object) -> None:
    import socket

    path = os.path.join(os.environ["ISINGLASS_RUNTIME_DIR"], "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(LIMIT_SECONDS)
        process = DaemonProcess("oak", {}).start(NOTIFY_SOCKET=path, WATCHDOG_USEC="200000")
        heard = [manager.recv(100)]
        while heard.count(b"WATCHDOG=1") < 3:
            heard.append(manager.recv(100))
        assert process.stop() == 0
        while heard[-1] != b"STOPPING=1":
            heard.append(manager.recv(100))
    assert heard[0] == b"READY=1"
