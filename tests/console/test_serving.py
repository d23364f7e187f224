"""The console in a browser: real HTTP and a real WebSocket, and nobody without the key."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import psutil
import pytest

from at_work import working_node
from cli.commands import isinglass
from console.browser import page
from isinglass_console.command import without_serving
from isinglass_console.page_key import has_key, is_own
from isinglass_console.themes import DARK
from needs import needs

LIMIT_SECONDS = 40.0
BIN = Path(sys.executable).parent


@pytest.fixture
def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def address(home: Path, free_port: int) -> Iterator[str]:
    """The address that a served console printed."""
    line = [str(BIN / "isinglass"), "console", "--serve", "--port", str(free_port), "-i", "0.5"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.fullmatch(rf"Open (http://127\.0\.0\.1:{free_port}/\?key=\S{{32}})\n", said)
        assert found, said
        yield found[1]
    finally:
        process.terminate()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


async def open_page(session: aiohttp.ClientSession, address: str) -> str:
    async with session.get(address) as answer:
        assert answer.status == 200
        assert "key=" not in str(answer.url), "the key does not stay in the address"
        return await answer.text()


async def shown(socket: aiohttp.ClientWebSocketResponse, word: str) -> bytes:
    """Receive until a word is on the screen."""
    seen = b""
    async with asyncio.timeout(LIMIT_SECONDS):
        async for message in socket:
            if message.type == aiohttp.WSMsgType.BINARY:
                seen += message.data
            if word.encode() in seen:
                return seen
    raise AssertionError(seen)


async def press_again_and_again(terminal: aiohttp.ClientWebSocketResponse, key: str) -> None:
    """Press a key until cancelled: just after a paste none is taken."""
    while True:
        await terminal.send_json(["stdin", key])
        await asyncio.sleep(0.2)


def consoles() -> list[psutil.Process]:
    mine = psutil.Process().children(recursive=True)
    return [each for each in mine if "isinglass_console.cli" in each.cmdline()]


@pytest.mark.slow
def test_a_page_gets_a_console_that_takes_keys_and_ends_with_it(address: str) -> None:
    async def script() -> None:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            page = await open_page(session, address)
            assert "<title>isinglass</title>" in page or "isinglass" in page
            found = re.search(r'ws://[^"\']+', page)
            assert found
            async with session.ws_connect(f"{found[0]}?width=120&height=36") as terminal:
                await shown(terminal, "alder")
                await terminal.send_json(["stdin", "\x1b[200~\x1b[31mm\x1b[201~"])
                pressing = asyncio.create_task(press_again_and_again(terminal, "2"))
                await shown(terminal, "NOW AT")
                pressing.cancel()
                assert len(consoles()) == 1
        async with asyncio.timeout(LIMIT_SECONDS):
            while consoles():
                await asyncio.sleep(0.1)

    with working_node("alder"):
        asyncio.run(script())


@pytest.mark.slow
def test_nobody_else_is_answered(address: str, free_port: int) -> None:
    site = f"http://127.0.0.1:{free_port}"

    async def status(session: aiohttp.ClientSession, path: str, **headers: str) -> int:
        async with session.get(f"{site}{path}", headers=headers, allow_redirects=False) as answer:
            return answer.status

    async def script() -> None:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            for path in ("/", "/ws", "/?key=wrong", "/static/css/xterm.css", "/download/x"):
                assert await status(session, path) == 403, path
            await open_page(session, address)
            assert await status(session, "/") == 200
            assert await status(session, "/", Origin=site) == 200
            assert await status(session, "/ws", Origin="http://elsewhere.example") == 403
            assert await status(session, "/", Host=f"elsewhere.example:{free_port}") == 403

    asyncio.run(script())
    found = Path("/proc/net/tcp").read_text().split()
    assert f"0100007F:{free_port:04X}" in found
    assert f"00000000:{free_port:04X}" not in found


# How many points of the terminal have each colour, once there are some of all that are wanted.
POINTS = """
new Promise(done => {
  const wanted = %s, end = Date.now() + %d;
  const look = () => {
    const canvas = document.querySelector("canvas.xterm-text-layer");
    const counts = Object.fromEntries(wanted.map(colour => [colour, 0]));
    if (canvas && document.body.classList.contains("-first-byte")) {
      const points = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      for (let at = 0; at < points.length; at += 4) {
        const number = points[at] << 16 | points[at + 1] << 8 | points[at + 2];
        const colour = "#" + number.toString(16).padStart(6, "0");
        if (colour in counts) counts[colour]++;
      }
    }
    const all = Object.values(counts).every(count => count > 0);
    all || Date.now() > end ? done(counts) : setTimeout(look, 100);
  };
  look();
})
"""


@pytest.mark.slow
def test_a_browser_draws_it(address: str, tmp_path: Path) -> None:
    needs("chromium")
    ground = DARK.background
    words = [DARK.foreground, DARK.primary, DARK.variables["bright"]]  # its name, figures, a node

    async def script() -> None:
        async with page(address, tmp_path / "profile") as shown:
            wanted = json.dumps([ground, *words])
            points = await shown.says(POINTS % (wanted, LIMIT_SECONDS * 1000))
            assert min(points[colour] for colour in words) > 0, points
            assert points[ground] > 20 * sum(points[colour] for colour in words), points

    with working_node("alder"):
        asyncio.run(script())


def test_a_port_that_is_taken_is_a_sentence(home: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        error = isinglass("console", "--serve", "--port", port, expect=2).stderr
    assert f"127.0.0.1:{port} cannot be had" in error


def test_a_port_that_is_none_is_a_sentence() -> None:
    for port in ("99999", "0", "http"):
        error = isinglass("console", "--serve", "--port", port, expect=2).stderr
        assert error == (
            f"isinglass: --port takes a whole number from 1 to 65,535, not {port!r}.\n"
        )


def test_what_is_served_is_the_same_console_without_serving() -> None:
    line = ["alder", "--serve", "--port", "9", "--view", "flow", "--port=8", "--ascii"]
    assert without_serving(line) == ["alder", "--view", "flow", "--ascii"]


def test_only_the_own_site_and_the_key_count() -> None:
    assert is_own({"Host": "127.0.0.1:8600"}, 8600)
    assert not is_own({"Host": "localhost:8600"}, 8600)
    assert not is_own({"Host": "127.0.0.1:8600", "Origin": "null"}, 8600)
    assert not is_own({}, 8600)
    assert has_key("abc", "abc") and not has_key("abc", None) and not has_key("abc", "ab\u00e9")
