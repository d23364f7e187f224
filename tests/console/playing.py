"""Plays the console through Textual's pilot: scripts of keys, and what the screen shows then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from textual.pilot import Pilot

from isinglass import clock
from isinglass_console.app import IsinglassApp
from isinglass_console.screens.live import LiveScreen
from isinglass_console.screens.main import MainScreen
from isinglass_console.widgets.canvas import Canvas
from isinglass_console.widgets.line import text_of

LIMIT_SECONDS = 40.0
Play = Callable[[Pilot[int]], Awaitable[None]]


def play(app: IsinglassApp, script: Play, size: tuple[int, int] = (120, 36)) -> None:
    """Run the app in a terminal of this size, and the script on it."""

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await script(pilot)

    asyncio.run(run())


def screen_text(app: IsinglassApp) -> str:
    """Return what the screen shows, row by row."""
    top = next(each for each in reversed(app.screen_stack) if isinstance(each, LiveScreen))
    return "\n".join(text_of(canvas.lines) for canvas in top.query(Canvas))


def main_screen(app: IsinglassApp) -> MainScreen:
    """Return the screen with the views, which must be on top."""
    assert isinstance(app.screen, MainScreen)
    return app.screen


def body(app: IsinglassApp) -> Canvas:
    """Return the canvas of the page."""
    return app.screen.query_one("#body", Canvas)


async def until(app: IsinglassApp, pilot: Pilot[int], wanted: Callable[[], bool]) -> None:
    """Wait until the screen is as wanted."""
    end_ns = clock.monotonic_ns() + int(LIMIT_SECONDS * 1e9)
    while not wanted():
        assert clock.monotonic_ns() < end_ns, f"it never was:\n{screen_text(app)}"
        await pilot.pause(0.05)
