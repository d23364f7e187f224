"""Answers reach those who wait: from other threads with one wake-up, from a callback at its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from isinglass.node.outbox import Outbox


class Client:
    """Keeps what is delivered, and says so."""

    def __init__(self) -> None:
        self.deliveries: list[list[list[int]]] = []
        self.delivered = threading.Event()

    def deliver(self, answers: list[list[int]]) -> None:
        self.deliveries.append(answers)
        self.delivered.set()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_what_a_callback_brings_is_delivered_once_when_it_is_done(
    loop: asyncio.AbstractEventLoop,
) -> None:
    outbox, one, other = Outbox(loop), Client(), Client()

    def work(data: bytes) -> None:
        outbox.put(one, [1])
        outbox.put(other, [2])
        outbox.put(one, [len(data)])
        assert not one.deliveries

    outbox.collect(work, b"abc")
    assert one.deliveries == [[[1], [3]]]
    assert other.deliveries == [[[2]]]
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert len(one.deliveries) == 1


def test_what_a_callback_brought_is_delivered_though_it_failed(
    loop: asyncio.AbstractEventLoop,
) -> None:
    outbox, client = Outbox(loop), Client()

    def work(_: bytes) -> None:
        outbox.put(client, [1])
        raise RuntimeError("late")

    with pytest.raises(RuntimeError):
        outbox.collect(work, b"")
    assert client.deliveries == [[[1]]]


def test_what_comes_outside_a_callback_waits_for_the_next_turn(
    loop: asyncio.AbstractEventLoop,
) -> None:
    outbox, client = Outbox(loop), Client()
    outbox.collect(lambda _: None, b"")  # the outbox knows its thread from then on
    outbox.put(client, [1])
    outbox.put(client, [2])
    assert not client.deliveries
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert client.deliveries == [[[1], [2]]]


def test_answers_from_other_threads_are_all_delivered(loop: asyncio.AbstractEventLoop) -> None:
    outbox, client = Outbox(loop), Client()
    runner = threading.Thread(target=loop.run_forever)
    runner.start()

    def busy(number: int) -> None:
        for place in range(500):
            outbox.put(client, [number, place])

    threads = [threading.Thread(target=busy, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(500):
        loop.call_soon_threadsafe(outbox.collect, lambda _: outbox.put(client, [9, 0]), b"")
    for thread in threads:
        thread.join()
    loop.call_soon_threadsafe(loop.call_soon, loop.stop)
    runner.join()
    got = [answer for answers in client.deliveries for answer in answers]
    assert sorted(got) == sorted(
        [[number, place] for number in range(4) for place in range(500)] + [[9, 0]] * 500
    )
    for number in range(4):
        assert [place for n, place in got if n == number] == list(range(500))
