"""A real browser without a window: opens a page, and says what its scripts can see of it.

Chromium speaks its DevTools protocol over a WebSocket. `--screenshot` takes its picture as soon as
nothing is loaded any more, which is before a terminal in the page has shown its first byte.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

LINE = ("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,800")
ENDS_WITHIN_SECONDS = 30


class Page:
    """A page that is open."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def open(self, address: str) -> None:
        """Go to an address, and wait until it is loaded."""
        await self._ask("Page.enable")
        await self._ask("Page.navigate", url=address)
        await self._heard("method", "Page.loadEventFired")

    async def says(self, script: str) -> Any:
        """Return what an expression comes to, once a promise is kept."""
        told = await self._ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        return told["result"]["result"].get("value")

    async def _ask(self, method: str, **parameters: object) -> dict[str, Any]:
        await self._socket.send_json({"id": 1, "method": method, "params": parameters})
        told = await self._heard("id", 1)
        assert "result" in told, told
        return told

    async def _heard(self, key: str, value: object) -> dict[str, Any]:
        """Wait until the browser says what has this under the key."""
        async for message in self._socket:
            told: dict[str, Any] = message.json()
            if told.get(key) == value:
                return told
        raise AssertionError("the browser has gone")


@asynccontextmanager
async def page(address: str, folder: Path) -> AsyncIterator[Page]:
    """Open a page in a browser of its own.

    Args:
        folder: for what the browser keeps.
    """
    line = [*LINE, f"--user-data-dir={folder}", "--remote-debugging-port=0"]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    try:
        port = await asyncio.to_thread(_port, process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                (target,) = [each for each in await answer.json() if each["type"] == "page"]
            async with session.ws_connect(target["webSocketDebuggerUrl"]) as socket:
                opened = Page(socket)
                await opened.open(address)
                yield opened
    finally:
        process.terminate()
        process.communicate(timeout=ENDS_WITHIN_SECONDS)


def _port(process: subprocess.Popen[str]) -> str:
    """Return where the browser listens, which it says when it does."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"DevTools listening on ws://127\.0\.0\.1:(\d+)/", line):
            return found[1]
    raise AssertionError("".join(said))
