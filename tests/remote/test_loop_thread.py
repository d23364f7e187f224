"""A loop on a thread of its own does what other threads give it, in their order, and ends."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import CancelledError
from functools import partial

import pytest

from isinglass import clock
from isinglass.remote.loop_thread import END_SECONDS, LoopThread

LIMIT_SECONDS = 20.0
CALLS = 2000


async def nothing() -> None:
    """Nothing is open at the end."""


def test_calls_of_many_threads_are_all_made_in_their_order() -> None:
    loop, found, all_made = (
        LoopThread("tested", nothing),
        list[tuple[int, int]](),
        threading.Event(),
    )

    def call(number: int, count: int) -> None:
        found.append((number, count))
        if len(found) == 4 * CALLS:
            all_made.set()

    def give(number: int) -> None:
        for count in range(CALLS):
            loop.soon(partial(call, number, count))

    threads = [threading.Thread(target=give, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    assert all_made.wait(LIMIT_SECONDS)
    for thread in threads:
        thread.join()
    loop.close()
    for number in range(4):
        assert [count for one, count in found if one == number] == list(range(CALLS))


def test_one_call_that_fails_does_not_keep_the_others_back() -> None:
    loop, made = LoopThread("tested", nothing), threading.Event()
    waiting = threading.Event()
    loop.soon(lambda: waiting.wait(LIMIT_SECONDS))
    empty: dict[str, str] = {}
    loop.soon(lambda: empty["missing"])
    loop.soon(made.set)
    waiting.set()
    assert made.wait(LIMIT_SECONDS)
    loop.close()


def test_whoever_waits_for_an_answer_is_let_go_at_the_end() -> None:
    ended, begun = list[str](), threading.Event()

    async def last() -> None:
        ended.append("last")

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    loop = LoopThread("tested", last)
    promise = loop.promise(work())
    assert begun.wait(LIMIT_SECONDS)
    loop.close()
    with pytest.raises(CancelledError):
        promise.result(LIMIT_SECONDS)
    assert ended == ["work", "last"]
    with pytest.raises(RuntimeError):
        loop.promise(work())
    loop.soon(ended.clear)
    assert ended, "nothing is called any more"


def test_what_is_asked_while_the_loop_ends_is_let_go() -> None:
    ending, allowed = threading.Event(), asyncio.Event()

    async def last() -> None:
        ending.set()
        await allowed.wait()

    loop = LoopThread("tested", last)
    closing = threading.Thread(target=loop.close)
    closing.start()
    assert ending.wait(LIMIT_SECONDS)
    promise = loop.promise(asyncio.Event().wait())
    loop.soon(allowed.set)
    with pytest.raises(CancelledError):
        promise.result(LIMIT_SECONDS)
    closing.join()


def test_a_loop_that_is_closed_at_once_ends_at_once() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that threads overtake each other
    try:
        begun_ns = clock.monotonic_ns()
        for _ in range(50):
            LoopThread("tested", nothing).close()
    finally:
        sys.setswitchinterval(before)
    assert clock.monotonic_ns() - begun_ns < END_SECONDS * clock.NANOSECONDS_PER_SECOND
