"""What nodes of other hosts are called, and how old what is shown of them is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from isinglass import clock
from isinglass_console.model.frame import Condition
from isinglass_console.model.reading import Reading
from remote_hosts import RemoteHosts
from remote_watcher import beat_age, watching

pytestmark = pytest.mark.sshd

Node = subprocess.Popen[str]


def alive(found: list[Reading]) -> int:
    return [reading.condition for reading in found].count(Condition.ALIVE)


def test_two_nodes_of_one_name_are_told_apart_whoever_comes_first(
    alder: Node, hosts: RemoteHosts
) -> None:
    hosts.add("far")
    with watching("ssh://late/", "ssh://far/") as watcher:
        watcher.until(lambda found: alive(found) == 1)
        hosts.alias("far", "late")
        both = watcher.until(lambda found: alive(found) == 2)
    assert [reading.node for reading in both] == ["alder@late", "alder"]


@pytest.mark.slow
def test_a_host_without_a_node_says_so_for_good(
    start_node: Callable[[str], Node], hosts: RemoteHosts
) -> None:
    hosts.add("far")
    with watching("ssh://far/") as watcher:
        watcher.until_first(Condition.MISSING)
        began_ns = clock.monotonic_ns()
        watcher.until(lambda _found: clock.monotonic_ns() - began_ns > 7 * 10**9)
        assert {reading.node for reading in watcher.seen} == {"far"}
        start_node("alder")
        assert watcher.until_first(Condition.ALIVE).node == "alder"


def test_what_is_shown_behind_a_dead_link_is_as_old_as_it_is(
    alder: Node, hosts: RemoteHosts, tmp_path: Path
) -> None:
    """The node could not be read for a while before the link was gone."""
    far = hosts.add("far")
    with watching("ssh://far/alder") as watcher:
        watcher.until_first(Condition.ALIVE)
        segment = Path(os.environ["ISINGLASS_RUNTIME_DIR"]) / "alder" / "segment"
        (tmp_path / "garbage").write_bytes(bytes(8192))
        shutil.move(tmp_path / "garbage", segment)
        gone_ns = clock.monotonic_ns()
        watcher.until_first(Condition.UNREADABLE)
        watcher.until(lambda _found: clock.monotonic_ns() - gone_ns > 3 * 10**9)
        sessions = far.sessions()
        far.close()
        for session in sessions:
            session.kill()
        down = watcher.until_first(Condition.LINK_DOWN)
        assert down.snapshot is not None
        assert beat_age(down) > 2.5
