"""The library against a real daemon: what is written is read, when, and what is refused."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import isinglass
from daemon_process import DaemonProcess, daemon
from isinglass import errors
from isinglass.store import records
from isinglass.wire import messages
from panel_figures import real, whole


@pytest.fixture
def oak() -> Iterator[DaemonProcess]:
    """A daemon that applies slowly, so that what was just written still waits."""
    with daemon("oak", gather_seconds=0.2) as process:
        yield process


@pytest.fixture
def database(oak: DaemonProcess) -> Iterator[isinglass.Client]:
    """A client with a table "orders", indexed by customer, and "parts", stored in groups."""
    with isinglass.connect("oak") as client:
        client.create_table("orders", indexes=["customer"])
        client.create_table("parts", group_by="/")
        yield client


def test_a_record_is_written_read_replaced_and_deleted(database: isinglass.Client) -> None:
    assert database.get("orders", "1") is None
    database.put("orders", "1", {"customer": "Ada", "total": 12})
    assert database.get("orders", "1") == {"customer": "Ada", "total": 12}
    database.put("orders", "1", {"customer": "Ada", "total": 13})
    assert database.get("orders", "1") == {"customer": "Ada", "total": 13}
    database.delete("orders", "1")
    assert database.get("orders", "1") is None
    database.flush()
    assert database.get("orders", "1") is None
    database.delete("orders", "never there")


def test_every_kind_of_value_comes_back(database: isinglass.Client) -> None:
    value: dict[str, Any] = {
        "none": None, "yes": True, "whole": -(2**63), "large": 2**64 - 1, "real": 1.5,
        "text": "ä🦉", "bytes": b"\x00\xff", "list": [1, [2, {"three": 3}]], "empty": {},
    }  # fmt: skip
    database.put("parts", "a/1", value)
    assert database.get("parts", "a/1") == value  # from the client's own writes
    database.flush()
    assert database.get("parts", "a/1") == value  # from the store


def test_own_writes_are_seen_before_and_after_they_are_applied(
    oak: DaemonProcess, database: isinglass.Client
) -> None:
    generator, model = random.Random(5), dict[str, dict[str, Any]]()
    for number in range(600):
        key = f"g{generator.randrange(5)}/{generator.randrange(20)}"
        if generator.random() < 0.2:
            database.delete("parts", key)
            model.pop(key, None)
        else:
            model[key] = {"n": number}
            database.put("parts", key, model[key])
        probe = f"g{generator.randrange(5)}/{generator.randrange(20)}"
        assert database.get("parts", probe) == model.get(probe)
    own = oak.snapshot().process("client")
    assert own is not None
    panel = own.panel("client", "oak")
    assert panel is not None
    assert whole(panel, "own_gets") > 0  # otherwise everything was applied, and nothing was tested
    assert dict(database.scan("parts")) == model


def test_scans_go_by_range_prefix_limit_and_backwards(database: isinglass.Client) -> None:
    keys = [f"{letter}/{number:02}" for letter in "abc" for number in range(20)]
    assert database.put_many("parts", [(key, {"key": key}) for key in keys]) == 60
    scanned = [key for key, _ in database.scan("parts")]
    assert scanned == keys
    assert [key for key, _ in database.scan("parts", "a/05", "b/03")] == keys[5:23]
    assert [key for key, _ in database.scan("parts", prefix="b/")] == keys[20:40]
    assert [key for key, _ in database.scan("parts", prefix="b/", limit=3, reverse=True)] == [
        "b/19", "b/18", "b/17",
    ]  # fmt: skip
    assert all(value == {"key": key} for key, value in database.scan("parts"))
    with pytest.raises(errors.UsageError):
        list(database.scan("parts", "a", prefix="b"))


def test_index_reads_find_what_was_just_written(database: isinglass.Client) -> None:
    for number in range(100):
        database.put("orders", str(number), {"customer": f"c{number % 7}", "n": number})
    found = {key for key, _ in database.find("orders", "customer", "c3")}
    assert found == {str(number) for number in range(100) if number % 7 == 3}
    database.put("orders", "3", {"customer": "c4", "n": 3})
    assert "3" not in {key for key, _ in database.find("orders", "customer", "c3")}
    ranged = [value["customer"] for _, value in database.find("orders", "customer", start="c5")]
    assert ranged == sorted(ranged)
    assert set(ranged) == {"c5", "c6"}
    with pytest.raises(errors.IndexMissing):
        list(database.find("orders", "n", 3))


def test_tables_are_created_listed_and_dropped(database: isinglass.Client) -> None:
    database.put("orders", "1", {"customer": "Ada"})
    database.flush()
    orders = database.tables()["orders"]
    assert (orders.rows, orders.indexes) == (1, {"customer": 1})
    database.create_table("orders", indexes=["customer"])
    with pytest.raises(errors.TableExists):
        database.create_table("orders", group_by="/")
    database.put("orders", "2", {"customer": "Bob"})
    database.drop_table("orders")
    assert "orders" not in database.tables()
    for act in (
        lambda: database.get("orders", "2"),
        lambda: list(database.scan("orders")),
        lambda: database.put("orders", "2", {}),
        lambda: database.drop_table("orders"),
    ):
        with pytest.raises(errors.TableMissing):
            act()
    database.create_table("orders")
    assert database.get("orders", "1") is None
    assert list(database.scan("orders")) == []


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("", {}, errors.BadRecord),
        ("k" * 401, {}, errors.RecordTooLarge),
        ("\ud800", {}, errors.BadRecord),
        ("k", {"field": object()}, errors.BadRecord),
        ("k", {1: "number"}, errors.BadRecord),
        ("k", {"field": "x" * 70_000}, errors.RecordTooLarge),
        ("k", ["no map"], errors.BadRecord),
    ],
)
def test_what_is_no_record_is_refused_and_the_connection_goes_on(
    database: isinglass.Client, key: str, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        database.put("orders", key, value)
    with pytest.raises(error):
        database.put_many("orders", [("good", {"customer": "Ada"}), (key, value)])
    database.put("orders", "fine", {"customer": "Ada"})
    assert database.get("orders", "fine") == {"customer": "Ada"}


def test_a_durability_that_does_not_exist_is_refused(database: isinglass.Client) -> None:
    with pytest.raises(errors.UsageError):
        database.put("orders", "1", {}, durability="always")
    for durability in ("none", "second", "commit"):
        database.put("orders", durability, {"customer": durability}, durability=durability)
        assert database.get("orders", durability) == {"customer": durability}


def test_a_commit_is_in_the_store_of_every_client_when_it_is_answered(
    oak: DaemonProcess, database: isinglass.Client
) -> None:
    flushes = whole(oak.panel("applier"), "flushes")
    with isinglass.connect("oak") as other:
        for number in range(20):
            database.put("orders", "1", {"customer": str(number)}, durability="commit")
            assert other.get("orders", "1") == {"customer": str(number)}
    assert whole(oak.panel("applier"), "flushes") >= flushes + 20


def test_threads_share_one_client(database: isinglass.Client) -> None:
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(150):
                key = f"{name}/{number % 10}"
                database.put("parts", key, {"n": number})
                assert database.get("parts", key) == {"n": number}
                if number % 50 == 0:
                    assert len(list(database.scan("parts", prefix=f"{name}/"))) <= 10
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    expected = {f"t{t}/{n}": {"n": 140 + n} for t in range(8) for n in range(10)}
    assert dict(database.scan("parts")) == expected


def test_a_forked_child_goes_on_with_a_connection_and_a_region_of_its_own(
    oak: DaemonProcess, database: isinglass.Client
) -> None:
    database.put("orders", "parent", {"customer": "before"})
    children = []
    for number in range(4):
        child = os.fork()
        if not child:
            code = 1
            try:
                assert database.get("orders", "parent") == {"customer": "before"}
                database.put("orders", f"child {number}", {"customer": str(os.getpid())})
                assert len(list(database.find("orders", "customer", str(os.getpid())))) == 1
                code = 0
            finally:
                os._exit(code)
        children.append(child)
        database.put("orders", "parent", {"customer": "before"})
    for child in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    found = {value["customer"] for key, value in database.scan("orders", prefix="child")}
    assert found == {str(child) for child in children}
    pids = {process.pid for process in oak.snapshot().processes}
    assert {*children, os.getpid(), oak.pid} <= pids


def test_the_client_shows_itself_with_name_counters_and_marks(oak: DaemonProcess) -> None:
    with isinglass.connect("oak", process="loader") as database:
        database.create_table("t")
        database.put_many("t", {str(number): {"n": number} for number in range(1000)})
        database.get("t", "1")
        shown = oak.snapshot().process("loader")
        assert shown is not None
        assert (shown.verdict, shown.pid) == ("alive", os.getpid())
        panel = shown.panel("client", "oak")
        assert panel is not None
        assert (panel["puts"], panel["gets"]) == (1000, 1)
        assert whole(panel, "requests") >= 5
    left = oak.snapshot().process("loader")
    assert left is not None
    assert left.verdict == "clean exit"


def test_two_clients_of_one_process_share_store_and_region(oak: DaemonProcess) -> None:
    with isinglass.connect("oak") as first:
        first.create_table("t")
        with isinglass.connect("oak") as second:
            second.put("t", "1", {"n": 1}, durability="commit")
            assert first.get("t", "1") == {"n": 1}
        first.put("t", "2", {"n": 2})
        assert first.get("t", "2") == {"n": 2}
        assert sum(process.pid == os.getpid() for process in oak.snapshot().processes) == 1


def test_a_daemon_that_is_away_is_one_clear_sentence(runtime_dir: Any) -> None:
    with pytest.raises(errors.DaemonAway, match="isinglass daemon start oak"):
        isinglass.connect("oak")
    with pytest.raises(errors.DaemonAway, match=r"no node has run here .*isinglass daemon start"):
        isinglass.connect()


def test_one_of_several_nodes_is_named(oak: DaemonProcess, runtime_dir: Path) -> None:
    (runtime_dir / "ash").mkdir()
    (runtime_dir / "ash" / "segment").touch()
    with pytest.raises(errors.UsageError, match="several nodes here, name one: ash, oak"):
        isinglass.connect()


def test_the_only_node_need_not_be_named(oak: DaemonProcess) -> None:
    with isinglass.connect() as database:
        assert database.node == "oak"


def test_a_restart_is_followed_and_told(oak: DaemonProcess, database: isinglass.Client) -> None:
    database.put("orders", "1", {"customer": "kept"}, durability="commit")
    oak.kill()
    assert database.get("orders", "1") == {"customer": "kept"}  # reading goes on
    restarter = threading.Timer(0.3, oak.start)
    restarter.start()
    database.put("orders", "2", {"customer": "after"})  # waits for the daemon
    restarter.join()
    assert database.get("orders", "1") == {"customer": "kept"}
    assert database.get("orders", "2") == {"customer": "after"}
    own = next(process for process in oak.snapshot().processes if process.pid == os.getpid())
    panel = own.panel("client", "oak")
    assert panel is not None
    assert (panel["restarts"], own.verdict) == (1, "alive")
    assert whole(panel, "retries") >= 1


def test_a_daemon_that_stays_away_is_told_within_the_timeout(
    oak: DaemonProcess, database: isinglass.Client
) -> None:
    with isinglass.connect("oak", timeout_seconds=1.5) as hasty:
        oak.stop()
        with pytest.raises(errors.DaemonAway):
            hasty.put("orders", "1", {})


def test_a_daemon_that_hangs_is_told_within_the_timeout(
    oak: DaemonProcess, database: isinglass.Client
) -> None:
    database.put("orders", "1", {"customer": "Ada"}, durability="commit")
    with isinglass.connect("oak", timeout_seconds=1.5) as hasty:
        with oak.stopped():
            with pytest.raises(errors.RequestTimeout, match="isinglass ps"):
                hasty.put("orders", "2", {})
            assert hasty.get("orders", "1") == {"customer": "Ada"}  # reading needs no daemon
        database.put("orders", "3", {"customer": "Bob"}, durability="commit")
        assert hasty.get("orders", "3") == {"customer": "Bob"}


def test_a_full_queue_makes_writers_wait_or_says_so(oak: DaemonProcess) -> None:
    with (
        daemon("elm", queue_limit_entries=50, gather_seconds=0.05, flow_control="no") as elm,
        isinglass.connect("elm", timeout_seconds=60) as database,
    ):
        database.create_table("t")
        with pytest.raises(errors.RequestRefused, match="queue"):
            for number in range(500):
                database.put("t", str(number), {"n": number}, wait=False)
        keys = {f"w{number}": {"n": number} for number in range(400)}
        assert database.put_many("t", keys) == 400
        assert dict(database.scan("t", prefix="w")) == keys
        own = elm.snapshot().process("client")
        assert own is not None
        panel = own.panel("client", "elm")
        assert panel is not None
        assert whole(panel, "waits") > 0
        assert real(panel, "waited") > 0


def test_a_repeated_write_does_not_undo_a_later_one(
    oak: DaemonProcess, database: isinglass.Client
) -> None:
    """The first try was done and its answer lost; meanwhile somebody else wrote the record."""
    mine = database._session
    since = mine.words.latest_stamp
    packed = records.pack_value({"customer": "mine"})
    put = [messages.PUT, "orders", "1", packed, 0, 0]
    mine.ask(list(put), write=True)
    with isinglass.connect("oak") as other:
        other.put("orders", "1", {"customer": "theirs"})
    repeated = [*put[:-1], since]
    for applied in (False, True):
        mine.ask(list(repeated))
        database.flush()
        assert database.get("orders", "1") == {"customer": "theirs"}, applied
    assert whole(oak.panel("port"), "repeated") == 2
    # ... and one whose first try never arrived is done.
    mine.ask([messages.PUT, "orders", "2", packed, 0, mine.words.latest_stamp])
    database.flush()
    assert database.get("orders", "2") == {"customer": "mine"}


def test_a_flush_that_outlives_the_daemon_is_answered_by_the_next(oak: DaemonProcess) -> None:
    """The place it waits for was given by a daemon that is gone; a clean stop loses nothing."""
    with isinglass.connect("oak", timeout_seconds=20) as database:
        database.create_table("t")
        database.put_many("t", {str(number): {"n": number} for number in range(500)})
        oak.stop()
        restarter = threading.Timer(0.3, oak.start)
        restarter.start()
        database.flush("commit")
        restarter.join()
        assert len(list(database.scan("t"))) == 500
