"""The operator's hands: each key asks first, does it to a real process, and leaves an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Label

from at_work import working_node
from console.playing import play, screen_text, until
from console.stage import SECOND, START_NS, Stage, filled_desk, stage
from daemon_process import daemon
from isinglass.errors import UsageError
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Verdict
from isinglass_console.app import IsinglassApp
from isinglass_console.commanding import NotDone, debug_flags, note, stacks, switch_debug
from isinglass_console.model.alarms import AlarmSheet
from isinglass_console.model.stacks import KEPT, Stacks, nearest, shelf
from isinglass_console.model.told import Told
from isinglass_console.screens.outside import Order, Outside
from isinglass_console.screens.stacks_screen import StacksScreen
from programs import program

FLAGGED = """
import sys
import isinglass
glass = isinglass.attach("elder")
QUEUE = isinglass.flag("queue")
print("ready", flush=True)
sys.stdin.read()
"""


def question(app: IsinglassApp) -> str:
    return str(app.screen.query_one(Label).content)


@pytest.fixture
def told(app: IsinglassApp) -> Iterator[list[Order]]:
    """The orders that a console on a staged node gives."""
    orders: list[Order] = []
    app.desk.told = Told("orchard", "", None, AlarmSheet("orchard"))
    app._outside = lambda: Outside(order=orders.append)  # type: ignore[method-assign]
    yield orders


def kept(second: float, pid: int = 4711, lines: int = 3) -> Stacks:
    text = tuple(f"Thread {number}" for number in range(lines))
    return Stacks(START_NS + int(second * SECOND), "alder", "daemon", pid, "py-spy", text)


# ---------------------------------------------------------------------- stacks
def test_stacks_of_a_living_process_are_asked_for_shown_and_kept(
    home: Path, tmp_path: Path
) -> None:
    app = IsinglassApp(interval_seconds=0.2, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        with working_node("birch") as process:
            await until(app, pilot, lambda: "birch" in screen_text(app))
            await pilot.press("2")
            await until(app, pilot, lambda: "applying a batch" in screen_text(app))
            await pilot.press("S")
            assert f"daemon {process.pid}" in question(app)
            assert "touches the process" in question(app)
            await pilot.press("n")
            assert "was left alone" in screen_text(app)
            assert not app.desk.settings.stacks
            await pilot.press("S", "y")
            await until(app, pilot, lambda: isinstance(app.screen, StacksScreen))
            await until(app, pilot, lambda: "WorkingNode.apply" in screen_text(app))
            await pilot.press("y")
            assert "copied" in screen_text(app)
            await pilot.press("escape", "7")
            await until(app, pilot, lambda: "were taken" in screen_text(app))
            app.desk.jump(app.desk.settings.stacks[-1].wall_ns)
            await pilot.press("2", "S")
            await until(app, pilot, lambda: isinstance(app.screen, StacksScreen))
            await until(app, pilot, lambda: "WorkingNode.apply" in screen_text(app))

    play(app, script, (160, 40))


def test_stacks_that_were_taken_are_those_of_their_instant(app: IsinglassApp) -> None:
    app.desk.settings.stacks.extend([kept(3.2), kept(9.0, lines=100)])

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("b", *"14:03:09", "enter", "S")
        assert isinstance(app.screen, StacksScreen)
        assert "14:03:09.000 UTC" in screen_text(app)
        assert "0 lines above" in screen_text(app)
        await pilot.press("pagedown", "pagedown", "pagedown", "pagedown")
        assert "Thread 99" in screen_text(app)
        await pilot.press("k", "escape", "b", *"14:03:03", "enter", "S")
        assert "14:03:03.200 UTC" in screen_text(app)

    play(app, script)


def test_without_stacks_of_then_it_says_how_to_get_some(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("space", "S")
        assert "no stacks of this process were taken then" in screen_text(app)

    play(app, script, (160, 40))


def test_only_near_stacks_of_the_same_process_count() -> None:
    some = [kept(1), kept(3), kept(4, pid=9)]
    found = nearest(some, "alder", 4711, START_NS + 4 * SECOND)
    assert found is some[1]
    assert nearest(some, "birch", 4711, START_NS) is None
    assert nearest(some, "alder", 4711, START_NS + 60 * SECOND) is None
    many = shelf()
    many.extend(kept(second) for second in range(KEPT + 5))
    assert len(many) == KEPT


def test_commands_of_the_console_say_why_they_could_not() -> None:
    with working_node("alder") as process:
        with pytest.raises(NotDone, match="no living process like 1"):
            stacks("alder", 1)
        assert stacks("alder", process.pid).process == "daemon"
    with pytest.raises(NotDone, match="elm"):
        note("elm", "nobody there")


# ---------------------------------------------------------------------- debug flags
def test_debug_flags_are_listed_asked_for_and_switched(tmp_path: Path) -> None:
    app = IsinglassApp(interval_seconds=0.2, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        await until(app, pilot, lambda: "elder" in screen_text(app))
        await pilot.press("d")
        await until(app, pilot, lambda: len(app.screen.query(Input)) == 1)
        assert "there are: queue" in app.screen.query_one(Input).placeholder
        await pilot.press(*"queue", "enter")
        await until(app, pilot, lambda: "switched with + or -" in screen_text(app))
        await pilot.press("d")
        await until(app, pilot, lambda: len(app.screen.query(Input)) == 1)
        await pilot.press(*"+queue 5m", "enter")
        await pilot.pause()
        assert "switch +queue at elder for 5 min" in question(app)
        await pilot.press("y")
        await until(app, pilot, lambda: "the log says so" in screen_text(app))
        ((name, left),) = debug_flags("elder")
        assert name == "queue" and 290 < left <= 300
        await pilot.press("d")
        await until(app, pilot, lambda: len(app.screen.query(Input)) == 1)
        assert "queue (on, 4 min" in app.screen.query_one(Input).placeholder
        await pilot.press("escape")
        assert "no flag was switched" in screen_text(app)

    with program(FLAGGED):
        play(app, script, (160, 40))
        with SegmentReader("elder") as reader:
            found = [e for p in reader.snapshot(events=True).processes for e in p.events]
        (event,) = [event for event in found if event.flag == "debug"]
        assert event.fields["switches"] == "+queue" and event.fields["by"]
        with pytest.raises(NotDone, match="no debug flag 'store'"):
            switch_debug("elder", ("+store",), "1m")


# ---------------------------------------------------------------------- maintenance
def test_maintenance_is_announced_with_an_end_and_a_reason(
    app: IsinglassApp, told: list[Order]
) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("M", *"30m", "enter")
        await pilot.pause()
        assert "has an end and a reason" in screen_text(app)
        await pilot.press("M", *"30m new memory", "enter")
        await pilot.pause()
        assert "expect the alarms of alder for 30 min 00, because: new memory?" in question(app)
        await pilot.press("n")
        assert not told
        await pilot.press("M", *"30m new memory", "enter")
        await pilot.pause()
        await pilot.press("y")
        await until(app, pilot, lambda: "its alarms are expected" in screen_text(app))

    play(app, script, (160, 40))
    (order,) = told
    assert order == {
        "do": "announce",
        "kind": "maintenance",
        "node": "alder",
        "seconds": 1800.0,
        "reason": "new memory",
    }


def test_what_is_done_is_done_to_the_selected_node_also_when_it_is_dead(
    alder: Stage, tmp_path: Path
) -> None:
    with stage("birch", tmp_path, pid=5000) as birch:
        desk = filled_desk(alder, birch)
        for tick in (13, 14):
            dead = birch.reading(tick, Verdict.KILLED, tick - 12 + 0.2)
            desk.absorb([alder.reading(tick), dead], START_NS + tick * SECOND, 1.0)
    desk.told = Told("orchard", "", None, AlarmSheet("orchard"))
    asked: list[str] = []
    app = IsinglassApp(desk=desk, feeding=False, keymap_path=tmp_path / "none")

    def debug_flags(node: str) -> list[tuple[str, float]]:
        asked.append(node)
        return []

    app._outside = lambda: Outside(debug_flags=debug_flags)  # type: ignore[method-assign]

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("l", "M")
        assert "maintenance of birch for" in question(app)
        await pilot.press("escape", "d")
        await until(app, pilot, lambda: "no process of birch has a debug flag" in screen_text(app))
        await pilot.press("D")
        assert "only a node whose daemon lives can be drained" in screen_text(app)

    play(app, script, (160, 40))
    assert asked == ["birch"]


def test_nothing_is_done_here_to_a_node_of_another_host(app: IsinglassApp) -> None:
    app._outside = lambda: Outside(is_here=lambda _node: False)  # type: ignore[method-assign]

    async def script(pilot: Pilot[int]) -> None:
        for key in ("S", "d", "D"):
            await pilot.press("escape", key)
            assert "alder is on another host: give the command there" in screen_text(app), key
        await pilot.press("escape", "m")
        assert "there is no node to make a note at" in screen_text(app)

    play(app, script, (160, 40))


def test_without_a_monitor_there_is_nobody_to_announce_to(alder: Stage, tmp_path: Path) -> None:
    app = IsinglassApp(desk=filled_desk(alder), feeding=False, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("M")
        assert "no monitor runs here" in screen_text(app)

    play(app, script, (200, 40))


def test_who_is_not_there_refuses() -> None:
    outside = Outside()
    for call in (
        lambda: outside.stacks("alder", 1),
        lambda: outside.debug_flags("alder"),
        lambda: outside.switch_debug("alder", ("+x",), "1m"),
    ):
        with pytest.raises(UsageError, match="this console shows no"):
            call()


# ---------------------------------------------------------------------- drain
def test_a_node_is_drained_and_takes_writes_again(tmp_path: Path) -> None:
    app = IsinglassApp(interval_seconds=0.2, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        await until(app, pilot, lambda: "· serving" in screen_text(app))
        await pilot.press("D", *"5m", "enter")
        await until(app, pilot, lambda: "has an end and a reason" in screen_text(app))
        await pilot.press("D", *"5m new memory", "enter")
        await pilot.pause()
        assert "refuse writes of oak's clients for 5m, because: new memory?" in question(app)
        await pilot.press("y")
        await until(app, pilot, lambda: "takes no writes of its clients" in screen_text(app))
        await until(app, pilot, lambda: "· drained" in screen_text(app))
        await pilot.press("D")
        await pilot.pause()
        assert "have oak take its clients' writes again?" in question(app)
        await pilot.press("n")
        assert "it stays drained" in screen_text(app)
        await pilot.press("D", "y")
        await until(app, pilot, lambda: "· serving" in screen_text(app))

    with daemon("oak"):
        play(app, script, (160, 40))


def test_stacks_look_as_they_did(snap_compare: Callable[..., bool], app: IsinglassApp) -> None:
    app.desk.settings.stacks.append(kept(12.0, lines=100))
    keys = ["space", "S", "pagedown"]
    assert snap_compare(app, press=keys, terminal_size=(100, 26))
