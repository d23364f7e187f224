"""The keeper: the newest of each file is written, on a thread that a disk may hold up."""

from __future__ import annotations

import threading
from functools import partial

from isinglass_monitor.keeping import WAITING_LIMIT, Keeper


def test_the_newest_is_written_and_what_waits_is_bounded() -> None:
    written: list[str] = []
    hangs, goes_on = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        assert goes_on.wait(10)

    keeper = Keeper(lambda error: None)
    keeper.put("first", hang)
    assert hangs.wait(10)
    for number in range(2 * WAITING_LIMIT):
        keeper.put(f"{number}", partial(written.append, f"{number}"))
    keeper.put("0", lambda: written.append("new 0"))
    goes_on.set()
    keeper.close()
    assert written == ["new 0", *map(str, range(1, WAITING_LIMIT))]


def test_what_cannot_be_written_is_told_once() -> None:
    errors: list[OSError] = []

    def fail() -> None:
        raise OSError("no room")

    keeper = Keeper(errors.append)
    keeper.put("state", fail)
    keeper.close()
    assert [str(error) for error in errors] == ["no room"]
    assert keeper.has_failed("state")
    assert not keeper.has_failed("state")
