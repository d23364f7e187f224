"""A thread with an event loop, for what goes to other hosts while its user does something else."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")
END_SECONDS = 10.0


class LoopThread:
    """Runs until it is closed; what was begun in it is cancelled then.

    Args:
        name: of the thread.
        last: called in the loop at its end, for what is still open.
    """

    def __init__(self, name: str, last: Callable[[], Awaitable[None]]) -> None:
        self._last = last
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._promised: set[Future[Any]] = set()
        self._work: deque[Callable[[], object]] = deque()
        self._woken = self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
        for promise in tuple(self._promised):
            promise.cancel()  # nobody began with it

    async def _end(self) -> None:
        await self._cancel_all()
        await self._last()
        await self._cancel_all()  # what was begun meanwhile

    async def _cancel_all(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def soon(self, work: Callable[[], object]) -> None:
        """Have the loop call a function; nothing once it is closed.

        A loop that is to wake up already is not woken again: a tick has a call for each node.
        """
        self._work.append(work)
        if not self._woken and not self._loop.is_closed():
            self._woken = True
            self._loop.call_soon_threadsafe(self._take_work)

    def _take_work(self) -> None:
        self._woken = False  # first: what is appended from here on wakes the loop again
        while self._work:
            self._loop.call_soon(self._work.popleft())

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin what goes on by itself; called in the loop."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def promise(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Have the loop do something, and return what it will return; cancelled by `close`.

        Raises:
            RuntimeError: the loop is closed.
        """
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("the loop is closed")
        promise = asyncio.run_coroutine_threadsafe(self._kept(work), self._loop)
        self._promised.add(promise)
        promise.add_done_callback(self._promised.discard)
        if self._loop.is_closed():
            promise.cancel()
        return promise

    async def _kept(self, work: Coroutine[Any, Any, Result]) -> Result:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            return await work
        finally:
            self._tasks.discard(task)

    def close(self) -> None:
        """End it, and wait for that."""
        if not self._closing:
            self._closing = True  # also when the thread has not come to run the loop yet
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(END_SECONDS)
