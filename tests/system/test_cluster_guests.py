"""Clients that ask the primaries of records themselves, past their own node, on real clusters."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import isinglass
from cluster_daemons import ClusterDaemons, cluster
from daemon_process import DaemonProcess
from isinglass.client.primaries import INTRODUCED_SECONDS
from isinglass.glass.panel_views import PanelView
from isinglass.glass.reader import SegmentReader
from panel_figures import whole
from waiting import wait_until

SHIFTED = Path(__file__).parents[1] / "shifted_clock"
HOUR = 3600


@pytest.fixture
def nodes(data_dir: Path) -> Iterator[ClusterDaemons]:
    """Three nodes with a table; no pace, which other tests on the machine would set."""
    with cluster(3, flow_control="false") as found:
        with isinglass.connect("alder") as database:
            database.create_table("t")
        found.wait_even()
        yield found


def own_panel(node: str) -> PanelView:
    """Return what this process shows of its client of a node."""
    with SegmentReader(node) as reader:
        snapshot = reader.snapshot()
    found = (p for process in snapshot.processes if process.pid == os.getpid()
             for p in process.panels if p.name == "client")  # fmt: skip
    return next(found)


def asked_directly(node: str) -> int:
    """Return how many requests of this process went past the node."""
    return int(whole(own_panel(node), "direct"))


def taken_at(node: DaemonProcess) -> int:
    """Return how many writes a node has taken because their primaries were silent."""
    return int(whole(node.panel("primary"), "accepted_locally"))


def keys_of(database: isinglass.Client, primary: str, count: int = 1) -> list[str]:
    """Return keys of records whose primary a node is."""
    found: list[str] = []
    for number in range(999):
        key = f"key {number}"
        if database.read("t", key).receipt.node == primary:
            found.append(key)
        if len(found) == count:
            return found
    raise AssertionError(f"{primary} is the primary of no record")


def has(database: isinglass.Client, key: str, number: int) -> bool:
    """Tell whether a node's store has a number in a record."""
    return "t" in database.tables() and database.get("t", key) == {"n": number}


def put_at(database: isinglass.Client, primary: str, key: str, value: dict[str, int]) -> None:
    """Write at once, again when a node that was short of processors did not answer as a primary."""
    wait_until(
        lambda: database.put("t", key, value, consistency="immediate").node == primary,
        f"{primary} takes it",
    )


def test_a_client_asks_primaries_itself_and_its_node_only_who_they_are(
    nodes: ClusterDaemons,
) -> None:
    with isinglass.connect("alder", consistency="immediate") as database:
        receipts = [database.put("t", f"k{n}", {"n": n}) for n in range(60)]
        assert {receipt.node for receipt in receipts} == set(nodes.nodes)
        elsewhere = sum(receipt.node != "alder" for receipt in receipts)
        assert asked_directly("alder") == elsewhere
        assert nodes["alder"].panel("primary")["forwarded"] == 0
        for number in range(60):
            answer = database.read("t", f"k{number}")
            assert (answer.value, answer.receipt.primary) == ({"n": number}, True)
        assert asked_directly("alder") == 2 * elsewhere
        database.delete("t", "k1")
        assert database.read("t", "k1").value is None
        assert database.get("t", "k1", consistency="eventual") is None
        database.flush()
        assert len(list(database.scan("t", consistency="eventual"))) == 59
    nodes.wait_equal()


def test_own_writes_are_read_while_the_own_node_stands_still(nodes: ClusterDaemons) -> None:
    with isinglass.connect("alder", timeout_seconds=30) as database:
        kept, deleted = keys_of(database, "birch", 2)
        for key in (kept, deleted):
            database.put("t", key, {"n": 0})
        nodes.wait_even()
        database.read("t", kept)
        with nodes["alder"].stopped():
            database.put("t", kept, {"n": 1}, consistency="immediate")
            database.delete("t", deleted, consistency="immediate")
            assert database.get("t", kept) == {"n": 1}
            assert database.get("t", deleted) is None
        database.flush()
        assert dict(database.scan("t")) == {kept: {"n": 1}}


def test_what_is_written_after_it_at_the_own_node_is_newer(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The primary's clock is an hour ahead: the own node learns of its stamp from the client."""
    clock_file = data_dir / "clock"
    clock_file.write_text(str(HOUR))
    with cluster(2, flow_control="false") as nodes:
        nodes["birch"].stop()
        with monkeypatch.context() as patch:
            patch.setenv("PYTHONPATH", str(SHIFTED))
            patch.setenv("SHIFTED_CLOCK", str(clock_file))
            nodes["birch"].start()
        nodes.wait_live()
        with isinglass.connect("alder") as database:
            database.create_table("t")
            nodes.wait_even()
            for number, key in enumerate(keys_of(database, "birch", 10)):
                put_at(database, "birch", key, {"n": -1})
                database.put("t", key, {"n": number})
                assert database.get("t", key) == {"n": number}
                with isinglass.connect("birch") as other:
                    wait_until(partial(has, other, key, number), "birch has the later one")
        nodes.wait_equal()


def test_a_primary_that_falls_silent_in_between_has_its_place_taken_once(
    nodes: ClusterDaemons,
) -> None:
    with isinglass.connect("alder", timeout_seconds=30) as database:
        (key,) = keys_of(database, "cedar")
        put_at(database, "cedar", key, {"n": 1})
        before = taken_at(nodes["alder"])
        with nodes["cedar"].stopped():
            receipt = database.put("t", key, {"n": 2}, consistency="immediate")
            assert (receipt.node, receipt.primary) == ("alder", False)
            assert taken_at(nodes["alder"]) == before + 1
            database.put("t", key, {"n": 3})
        nodes.wait_live()
        nodes.wait_even()
        assert database.get("t", key) == {"n": 3}
        put_at(database, "cedar", key, {"n": 4})
    nodes.wait_equal()


def test_a_primary_that_was_restarted_is_found_where_it_answers_now(nodes: ClusterDaemons) -> None:
    with isinglass.connect("alder", timeout_seconds=30) as database:
        (key,) = keys_of(database, "birch")
        nodes["birch"].kill()
        nodes["birch"].start()
        nodes.wait_live()
        before = asked_directly("alder")
        put_at(database, "birch", key, {"n": 4})
        wait_until(
            lambda: (
                database.read("t", key).receipt.node == "birch"
                and asked_directly("alder") >= before + 1
            ),
            f"it is asked past the own node, which says where within {INTRODUCED_SECONDS} s",
        )


def test_threads_and_a_forked_child_each_have_connections_of_their_own(
    nodes: ClusterDaemons,
) -> None:
    with isinglass.connect("alder", consistency="immediate") as database:
        refused: list[str] = []

        def write(name: str) -> None:
            for number in range(60):
                database.put("t", f"{name} {number}", {"n": number})
                if database.read("t", f"{name} {number}").value != {"n": number}:
                    refused.append(f"{name} {number}")

        threads = [threading.Thread(target=write, args=(f"thread {n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        write("main")
        for thread in threads:
            thread.join()
        child = os.fork()
        if child == 0:
            try:
                write("child")
                os._exit(len(refused))
            finally:
                os._exit(99)
        write("parent")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert refused == []
    nodes.wait_equal()


def test_a_drained_node_s_clients_are_refused_here_too(nodes: ClusterDaemons) -> None:
    from cli.commands import isinglass as command
    from isinglass.errors import NodeDrained

    with isinglass.connect("alder", consistency="immediate") as database:
        (key,) = keys_of(database, "birch")
        command("daemon", "drain", "alder", "--for", "10m")

        def is_refused() -> bool:
            try:
                database.put("t", key, {"n": 1})
            except NodeDrained:
                return True
            return False

        wait_until(is_refused, f"the client hears of it within {INTRODUCED_SECONDS} s")
        assert database.read("t", key).receipt.primary
