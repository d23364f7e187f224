"""A bad cable, and work that changes its kind: told by their rules, of real nodes on hosts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import isinglass
from hosts import cluster
from isinglass_monitor.alarms.rules import default_rules
from monitor_process import monitor_on
from waiting import wait_until
from watched import Watched, alarms_file

pytestmark = [pytest.mark.hosts, pytest.mark.slow]


class Work:
    """A client that writes, some 400 records a second: first the same few, then new ones."""

    def __init__(self, node: str) -> None:
        self._node, self.changed, self.ending = node, threading.Event(), threading.Event()

    def run(self) -> None:
        number = 0
        with isinglass.connect(self._node) as client:
            client.create_table("t")
            while not self.ending.wait(0.05):
                keys = (number + at if self.changed.is_set() else 0 for at in range(20))
                client.put_many("t", [(str(key), {"n": number}) for key in keys])
                number += 20


@contextmanager
def working(node: str) -> Iterator[Work]:
    """Let such a client work for a block."""
    work = Work(node)
    thread = threading.Thread(target=work.run)
    thread.start()
    try:
        yield work
    finally:
        work.ending.set()
        thread.join()


def quicker_merge_rule() -> str:
    """Return the rule about merging as it is, but over 10 s: the default one takes two minutes."""
    rule = default_rules()["merge-share-collapsed"]
    when, clear = (str(c.text).replace(", 60)", ", 10)") for c in rule.conditions)
    return (
        f'[[rule]]\nname = "{rule.name}"\nhelp = "{rule.help}"\nlook = "{rule.look}"\n'
        f'when = """{when}"""\nclear = "{clear}"\nfor = "3s"\nseverity = "info"\n'
    )


def test_a_cable_that_loses_and_work_that_merges_no_more(tmp_path: Path, data_dir: Path) -> None:
    file, told = alarms_file(tmp_path, quicker_merge_rule())
    with (
        cluster(2, lossy=True) as nodes,
        monitor_on(nodes.hosts["elm"], alarms=file) as process,
        working("alder") as work,
    ):
        watched = Watched(nodes.daemons, process, told)
        watched.wait_up("alder", "birch")
        alder, wire = nodes["alder"], nodes.hosts["birch"].wire
        assert wire is not None
        wire.back.loss = 0.3
        wait_until(lambda: alder.number("queue", "offered") > 4000, "alder has merged much")
        assert alder.number("queue", "avoided") > 0.5
        work.changed.set()
        watched.wait_told(("raised", "loss", "birch"), ("raised", "merge-share-collapsed", "alder"))
        [loss] = [a for a in watched.alarms()["alarms"] if a["rule"] == "loss"]
        assert (loss["node"], loss["instance"]) == ("birch", "alder"), "birch misses alder's"
        assert loss["figures"]["stream.lost_socket"] == 0
        assert {rule for _, rule, _ in watched.told()} == {"loss", "merge-share-collapsed"}
