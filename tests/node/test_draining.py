"""A drained node: its clients' writes are refused with a sentence, and nothing else changes."""

from __future__ import annotations

import os

import pytest

import isinglass as product
from cli.commands import isinglass
from daemon_process import daemon
from isinglass import clock
from isinglass.errors import NodeDrained
from isinglass.glass import control
from isinglass.glass.reader import SegmentReader


def state(node: str) -> str:
    with SegmentReader(node) as reader:
        panel = reader.snapshot().panel("daemon")
    assert panel is not None
    return str(panel["state"])


def wait_for_state(node: str, wanted: str) -> None:
    isinglass("watch", node, "--until", f"daemon.state = {wanted}", "--timeout", "20", "--quiet")
    assert state(node) == wanted


def test_writes_are_refused_reads_go_on_and_it_ends() -> None:
    with daemon("oak"), product.connect("oak") as database:
        database.create_table("orders")
        database.put("orders", "1", {"total": 1})
        done = isinglass("daemon", "drain", "oak", "--for", "10m", "--because", "new memory")
        assert done.stdout.startswith("Node oak takes no writes of its clients for 10.0 min.")
        for write in (
            lambda: database.put("orders", "2", {"total": 2}),
            lambda: database.put_many("orders", [("3", {"total": 3})]),
            lambda: database.add("orders", "1", "total", 1),
            lambda: database.create_table("others"),
            lambda: database.drop_table("orders"),
        ):
            with pytest.raises(NodeDrained, match=r"drained for \d+ s more: write at another"):
                write()
        assert database.get("orders", "1") == {"total": 1}
        wait_for_state("oak", "drained")
        isinglass("daemon", "resume", "oak")
        database.put("orders", "2", {"total": 2})
        assert database.get("orders", "2") == {"total": 2}
        wait_for_state("oak", "serving")
        with SegmentReader("oak") as reader:
            events = [e for p in reader.snapshot(events=True).processes for e in p.events]
    told = [event for event in events if "the node" in event.message and event.flag == "daemon"]
    assert [event.message for event in told if event.fields.get("by")] == [
        "the node is drained",
        "the node takes its clients' writes again",
    ]
    assert told[0].fields["because"] == "new memory"


def test_it_ends_by_itself_and_outlives_a_restart() -> None:
    with daemon("oak"):
        isinglass("daemon", "drain", "oak", "--for", "2h")
    with daemon("oak"), product.connect("oak") as database:
        with pytest.raises(NodeDrained):
            database.create_table("orders")
        wait_for_state("oak", "drained")
        page = control.open_page(control.page_path("oak"), write=True)
        control.switch(page, control.DRAINED, clock.wall_ns() + 50_000_000, 1, 0)
        os.close(page)
        wait_for_state("oak", "serving")
        database.create_table("orders")


def test_it_is_no_debug_flag() -> None:
    with daemon("oak"):
        assert control.DRAINED not in isinglass("debug", "oak").stdout
        error = isinglass("debug", "oak", f"+{control.DRAINED}", expect=2).stderr
        assert "no debug flag" in error
    assert "at most 24h" in isinglass("daemon", "drain", "oak", "--for", "3d", expect=2).stderr
    assert "cannot be opened" in isinglass("daemon", "drain", "elm", expect=1).stderr
