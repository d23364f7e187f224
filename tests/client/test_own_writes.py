"""Own writes that are not applied yet: answered here, then forgotten, never too early."""

from __future__ import annotations

import random
import threading

from isinglass.client.own_writes import PRUNE_AT, OwnWrites


def test_a_write_is_answered_from_here_until_it_is_applied() -> None:
    own = OwnWrites()
    own.add("orders", "1", 5, b"value", applied_through=0)
    assert own.waiting("orders", "1", 4) == (5, b"value")
    assert own.waiting("orders", "1", 5) is None
    assert own.waiting("orders", "2", 4) is None
    assert not own.settle(4)
    assert own.settle(5)
    assert own.kept == {}


def test_a_deletion_is_answered_as_one() -> None:
    own = OwnWrites()
    own.add("orders", "1", 5, b"value", 0)
    own.add("orders", "1", 5, None, 0)
    assert own.waiting("orders", "1", 0) == (5, None)


def test_dropping_a_table_forgets_its_writes_and_no_others() -> None:
    own = OwnWrites()
    own.add("orders", "1", 5, b"a", 0)
    own.add("people", "1", 6, b"b", 0)
    own.forget_table("orders")
    assert own.waiting("orders", "1", 0) is None
    assert own.waiting("people", "1", 0) == (6, b"b")


def test_after_a_restart_nothing_is_kept() -> None:
    own = OwnWrites()
    own.add("orders", "1", 5_000_000, b"a", 0)
    own.clear()
    assert own.settle(0)
    own.add("orders", "1", 1, b"b", 0)
    assert own.last_place == 1


def test_what_is_applied_is_pruned_and_what_waits_is_not() -> None:
    own = OwnWrites()
    waits = PRUNE_AT * 3
    for place in range(1, PRUNE_AT * 4 + 1):
        own.add("t", str(place), place, b"", applied_through=min(place - 1, waits))
    assert len(own.kept) < PRUNE_AT * 3
    for place in range(waits + 1, PRUNE_AT * 4 + 1):
        assert own.waiting("t", str(place), waits) == (place, b"")


def test_threads_that_write_and_prune_lose_nothing_that_waits() -> None:
    own, applied = OwnWrites(), 10**9

    def write(thread: int) -> None:
        generator = random.Random(thread)
        for number in range(3000):
            own.add(f"t{thread}", str(number % 700), applied + number + 1, b"", applied)
            if generator.random() < 0.01:
                own.settle(applied)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(own.kept) == 4 * 700
    assert own.last_place == applied + 3000
