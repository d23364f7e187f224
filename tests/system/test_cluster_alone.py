"""A node that was alone becomes a member: what it wrote before comes to the others."""

from __future__ import annotations

from functools import partial

import isinglass
from cluster_daemons import NAMES, ClusterDaemons, cluster
from daemon_process import daemon
from isinglass.errors import TableMissing
from waiting import wait_until


def written_alone(first: int) -> None:
    """Start a node without a cluster, write and delete a hundred records and count, and stop it."""
    with daemon("alder") as alone:
        with isinglass.connect("alder") as database:
            database.create_table("orders", indexes=["number"])
            for number in range(first, first + 100):
                database.put("orders", f"{number:04}", {"number": number})
                database.add("orders", "sum", "total", number)
            database.delete("orders", f"{first:04}", durability="commit")
        assert alone.stop() == 0


def has_all(node: str, through: int) -> bool:
    try:
        with isinglass.connect(node) as database:
            found = dict(database.scan("orders"))
    except TableMissing:
        return False
    total = found.pop("sum", {}).get("total")
    return total == sum(range(through)) and len(found) == through - through // 100


def start_last(nodes: ClusterDaemons) -> None:
    """Start alder once the others, which have nothing of it, are a cluster of their own."""
    for name in NAMES[1:3]:
        nodes[name].start()
    wait_until(lambda: nodes["birch"].panel("cluster")["state"] == "live", "birch is live")
    nodes["alder"].start()
    nodes.wait_live()


def test_what_a_node_wrote_alone_comes_to_a_cluster_that_was_there_before() -> None:
    nodes = ClusterDaemons(NAMES[:3])
    written_alone(0)
    try:
        start_last(nodes)
        for name in nodes.nodes:
            wait_until(partial(has_all, name, 100), f"what alder wrote is at {name}")
        nodes.wait_equal()
        with isinglass.connect("birch") as database:
            assert database.verify()["records"] == 0
        assert nodes["alder"].stop() == 0
        written_alone(100)
        nodes["alder"].start()
        nodes.wait_live()
        for name in nodes.nodes:
            wait_until(partial(has_all, name, 200), f"what it wrote alone again is at {name}")
        nodes.wait_equal()
    finally:
        for process in nodes.nodes.values():
            if process.process.poll() is None:
                process.kill()


def test_members_that_start_together_end_equal_whoever_is_live_first() -> None:
    written_alone(0)
    with cluster(3) as nodes:
        for name in nodes.nodes:
            wait_until(partial(has_all, name, 100), f"what alder wrote is at {name}")
        nodes.wait_equal()
