"""What the daemon tells in events: its life and its tables, in order, and still after its end."""

from __future__ import annotations

import isinglass
from daemon_process import daemon


def test_a_life_is_told_in_events() -> None:
    with daemon("alder") as node:
        with isinglass.connect("alder") as database:
            database.create_table("orders", indexes=["customer"])
        assert node.stop() == 0
        owner = node.snapshot().owner
        assert owner is not None
        told = [event.message for event in owner.events]
    assert told[0] == "the daemon serves" and told[-1] == "the store is closed"
    assert set(told[1:-1]) == {
        "the daemon stops: it takes no more requests",
        "table orders is there",
        "index customer of table orders is there",
    }
