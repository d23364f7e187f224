"""Adds on every node of a real cluster at once: the counts are the same everywhere, and exact."""

from __future__ import annotations

import threading
from functools import partial

import pytest

import isinglass
from cluster_daemons import ClusterDaemons, cluster
from waiting import wait_until

ADDS, KEYS = 300, ("hot", "warm")


@pytest.mark.slow
def test_adds_on_all_nodes_count_also_those_of_a_node_that_was_killed() -> None:
    failures: list[BaseException] = []

    def adding(node: str) -> None:
        try:
            with isinglass.connect(node, timeout_seconds=30) as database:
                for number in range(ADDS):
                    database.add("t", KEYS[number % 2], "n")
                    database.add_many("t", {"hot": 2, "warm": -1}, "n")
                database.flush("commit")
        except BaseException as error:
            failures.append(error)

    with cluster(3) as nodes:
        with isinglass.connect("alder") as database:
            database.create_table("t", indexes=["n"])
        wait_until(lambda: all(_has_table(name) for name in nodes.nodes), "the table everywhere")
        for lives in (1, 2):
            threads = [threading.Thread(target=adding, args=(name,)) for name in nodes.nodes]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert failures == []
            total = 3 * lives * ADDS
            expected = {"hot": total // 2 + 2 * total, "warm": total // 2 - total}
            wait_until(partial(_all_count, nodes, expected), "the same counts everywhere")
            nodes.nodes["birch"].kill()
            nodes.nodes["birch"].start()
        with isinglass.connect("cedar") as database:
            assert [key for key, _ in database.find("t", "n", start=0)] == ["hot"]
            database.delete("t", "hot")
            database.add("t", "hot", "n", 5)
        wait_until(lambda: all(_counts(n).get("hot") == 5 for n in nodes.nodes), "the reset")
        wait_until(
            lambda: nodes["alder"].panel("peer", "birch")["restarts"] == 2,
            "birch's life is believed",
        )
        with isinglass.connect("alder") as database:
            assert database.verify()["records"] == 0


def _counts(node: str) -> dict[str, object]:
    with isinglass.connect(node) as database:
        return {key: value["n"] for key, value in database.scan("t")}


def _all_count(nodes: ClusterDaemons, expected: dict[str, int]) -> bool:
    return all(_counts(name) == expected for name in nodes.nodes)


def _has_table(name: str) -> bool:
    with isinglass.connect(name) as database:
        return "t" in database.tables()
