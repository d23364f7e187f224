"""Every key of the table, pressed on a running console: what it changes, or what it asks.

A key has a case here, or the test fails; what the case looks at must be otherwise before the key.
One console is started for all of them, since its start takes longer than a key does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Label

from console.playing import screen_text
from console.staged_cluster import NAMES, Frames, desk_of
from console.test_alarm_view import played
from console.test_hands import kept
from isinglass_console import keys
from isinglass_console.app import IsinglassApp
from isinglass_console.keymap import split_keys
from isinglass_console.model.alarms import sheet_of
from isinglass_console.model.table import TableState, selected_index
from isinglass_console.model.told import Told
from isinglass_console.screens.hand_keys import TOUCHES
from isinglass_console.screens.main import MainScreen
from isinglass_console.screens.outside import Outside
from isinglass_console.screens.settings import Settings
from isinglass_console.screens.source_screen import SourceScreen
from isinglass_console.screens.stacks_screen import StacksScreen

SIZE = (120, 24)
TABLE_ROWS = 12  # of half a screen, by which a page moves


# ---------------------------------------------------------------------- what a case looks at
def view(app: IsinglassApp) -> object:
    return app.desk.settings.view


def node(app: IsinglassApp) -> object:
    return app.desk.settings.node


def setting(name: str) -> Callable[[IsinglassApp], object]:
    return lambda app: getattr(app.desk.settings, name)


def main(app: IsinglassApp) -> MainScreen:
    return next(each for each in app.screen_stack if isinstance(each, MainScreen))


def row(app: IsinglassApp) -> object:
    """Return the place of the selected row of the main screen."""
    page = main(app).page
    return selected_index(page.rows, app.desk.table(page.table))


def row_from_end(app: IsinglassApp) -> object:
    page = main(app).page
    return selected_index(page.rows, app.desk.table(page.table)) - len(page.rows)


def table(app: IsinglassApp) -> TableState:
    return app.desk.table(main(app).page.table)


def order(app: IsinglassApp) -> object:
    return table(app).sort


def descends(app: IsinglassApp) -> object:
    return table(app).descending


def frozen(app: IsinglassApp) -> object:
    return table(app).frozen is not None


def tags(app: IsinglassApp) -> object:
    return len(app.desk.settings.tags)


def clipboard(app: IsinglassApp) -> object:
    return app.clipboard.split("\n")[0].split("\t")[0].strip(" ▲✖·~")


def live(app: IsinglassApp) -> object:
    return app.desk.is_live


def frames_back(app: IsinglassApp) -> object:
    return app.desk.history.newest - app.desk.number


def playing(app: IsinglassApp) -> object:
    return app.desk.player is not None


def speed(app: IsinglassApp) -> object:
    return app.desk.speed


def interval(app: IsinglassApp) -> object:
    return app.desk.interval_seconds


def counting(app: IsinglassApp) -> object:
    return app.desk.settings.baseline is not None


def records(app: IsinglassApp) -> object:
    return app.desk.settings.notice.partition(" to ")[0]


def shown_log(app: IsinglassApp) -> object:
    choice = app.desk.settings.log
    return app.desk.settings.view, choice.severity, choice.node_only


def screen(app: IsinglassApp) -> object:
    return type(app.screen).__name__


def asked(app: IsinglassApp) -> object:
    """Return the question, or the prompt, that is on the screen; "" without one."""
    labels = app.screen.query(Label)
    return str(labels.first().content).strip() if labels else ""


def thread(app: IsinglassApp) -> object:
    """Return the name of the thread whose source is shown."""
    assert isinstance(app.screen, SourceScreen)
    return screen_text(app).split("\n")[1].split()[3]


def source_top(app: IsinglassApp) -> object:
    assert isinstance(app.screen, SourceScreen)
    return app.screen._opened.top


def stacks_top(app: IsinglassApp) -> object:
    assert isinstance(app.screen, StacksScreen)
    return screen_text(app).split("Thread ")[1].split()[0]


def ended(app: IsinglassApp) -> object:
    return app.return_code


@dataclass(frozen=True)
class Case:
    """Keys to press before, what to look at, and how that is after the key."""

    before: str
    looked_at: Callable[[IsinglassApp], object]
    after: object


LEAVE = "y: do it; any other key: leave it"
SOURCE, STACKS = "2 g enter", "space S"
CASES = {
    "view.overview": Case("3", view, "overview"),
    "view.probes": Case("", view, "probes"),
    "view.queue": Case("", view, "queue"),
    "view.flow": Case("", view, "flow"),
    "view.lag": Case("", view, "lag"),
    "view.store": Case("", view, "store"),
    "view.log": Case("", view, "log"),
    "view.alarms": Case("", view, "alarms"),
    "view.panels": Case("", view, "panels"),
    "view.compare": Case("=", view, "compare"),
    "view.next": Case("3", view, "flow"),
    "view.previous": Case("3", view, "probes"),
    "columns": Case("", setting("columns"), True),
    "threads.all": Case("2", setting("everywhere"), True),
    "heat.of": Case("2", setting("heat_of"), "process"),
    "zoom": Case("", setting("zoomed"), True),
    "move.down": Case("9 g", row, 1),
    "move.up": Case("9 G", row_from_end, -2),
    "move.page_down": Case("9 g", row, TABLE_ROWS),
    "move.page_up": Case("9 G", row_from_end, -1 - TABLE_ROWS),
    "move.first": Case("9 G", row, 0),
    "move.last": Case("9 g", row_from_end, -1),
    "node.next": Case("", node, "birch"),
    "node.previous": Case("", node, "cedar"),
    "open": Case("", view, "probes"),
    "back": Case("3", view, "overview"),
    "filter": Case("", asked, "/"),
    "match.next": Case("9 slash l i m i t enter g", row, 1),
    "match.previous": Case("9 slash l i m i t enter G", row_from_end, -2),
    "log.severity": Case("", shown_log, ("log", 13, False)),
    "log.node": Case("", shown_log, ("log", 0, True)),
    "sort.left": Case("9 > >", order, "process"),
    "sort.right": Case("9 >", order, "panel"),
    "sort.invert": Case("9 >", descends, True),
    "freeze": Case("", frozen, True),
    "tag": Case("", tags, 1),
    "copy": Case("", clipboard, "alder"),
    "pause": Case("", live, False),
    "step.back": Case("", frames_back, 1),
    "step.on": Case("[ [", frames_back, 1),
    "step.back_ten": Case("", frames_back, 10),
    "step.on_ten": Case("{ [", frames_back, 1),
    "time": Case("", asked, "go to"),
    "live": Case("[", live, True),
    "error.next": Case("{", frames_back, 8),
    "error.previous": Case("[", frames_back, 8),
    "warning.next": Case("{ w", frames_back, 5),
    "warning.previous": Case("[", frames_back, 4),
    "play": Case("[ [ [ [", playing, True),
    "play.slower": Case("", speed, 0.5),
    "play.faster": Case("", speed, 2.0),
    "record": Case("", records, "recording"),
    "save": Case("", asked, "save since"),
    "baseline": Case("", counting, True),
    "rate.up": Case("", interval, 0.5),
    "rate.down": Case("", interval, 2.0),
    "stacks": Case("", asked, f"{TOUCHES} Stacks of daemon 4711 of alder? {LEAVE}"),
    "debug": Case("", asked, "debug alder:"),
    "maintenance": Case("", asked, "maintenance of alder for"),
    "drain": Case("", asked, "drain alder of its clients' writes for"),
    "export": Case("2 g", asked, "write to (.json: speedscope, .folded: flame graphs)"),
    "note": Case("", asked, "note at alder:"),
    "alarm.acknowledge": Case("8", asked, f"acknowledge alarm 1, queue-long alder? {LEAVE}"),
    "alarm.silence": Case("8", asked, "silence queue-long of alder for"),
    "demo.stop": Case("", asked, f"stop alder as it stands (SIGSTOP)? {LEAVE}"),
    "demo.kill": Case("", asked, f"kill alder (kill -9)? {LEAVE}"),
    "demo.start": Case("", asked, f"alder lives: end it and start it again? {LEAVE}"),
    "source.up": Case(f"{SOURCE} j", thread, "applier"),
    "source.down": Case(SOURCE, thread, "timer"),
    "source.back": Case(SOURCE, frames_back, 1),
    "source.on": Case(f"{SOURCE} h h", frames_back, 1),
    "source.page_up": Case(f"{SOURCE} pagedown", source_top, 0),
    "source.page_down": Case(f"{SOURCE} pageup", source_top, 1),
    "source.pause": Case(SOURCE, live, False),
    "source.live": Case(f"{SOURCE} h", live, True),
    "source.heat": Case(SOURCE, setting("heat_of"), "process"),
    "source.leave": Case(SOURCE, screen, "MainScreen"),
    "stacks.up": Case(f"{STACKS} j j", stacks_top, "1"),
    "stacks.down": Case(STACKS, stacks_top, "1"),
    "stacks.page_up": Case(f"{STACKS} j pagedown", stacks_top, "1"),
    "stacks.page_down": Case(STACKS, stacks_top, "19"),
    "stacks.copy": Case(STACKS, clipboard, "Thread 0"),
    "stacks.leave": Case(STACKS, screen, "MainScreen"),
    "palette": Case("", screen, "CommandPalette"),
    "help": Case("", screen, "HelpScreen"),
    "quit": Case("", ended, 0),
}


# ---------------------------------------------------------------------- the console
class Untouched:
    """Hands that may be laid on every node; nobody says yes to it here."""

    nodes = NAMES
    trouble = ""

    def do(self, deed: str, node: str) -> None:
        """Fail: it was done unasked."""
        raise AssertionError(f"{deed} was done to {node}")


class Running:
    """A console that runs from test to test, and is started again when a key has ended it."""

    def __init__(self, frames: Frames, folder: Path) -> None:
        self._frames, self._folder = frames, folder
        self._runner = asyncio.Runner()
        self._context: AbstractAsyncContextManager[Pilot[int]] | None = None
        scene = played()
        document = {**scene.book.document(), "written_wall_ns": scene.now.wall_ns}
        self._told = Told("orchard", "", None, sheet_of("orchard", document, True))

    async def _begin(self) -> None:
        desk = desk_of(self._frames, *NAMES)
        desk.hear(self._told)
        self.app = IsinglassApp(desk=desk, feeding=False, keymap_path=self._folder / "none")
        outside = Outside(
            hands=Untouched(),
            debug_flags=lambda _node: [("queue", 0.0)],
            record=self.app.recording.toggle,
            save=self.app.recording.save,
        )
        self.app._outside = lambda: outside  # type: ignore[method-assign]
        self._context = self.app.run_test(size=SIZE)
        self._pilot = await self._context.__aenter__()

    async def _end(self) -> None:
        if self._context is not None:
            await self._context.__aexit__(None, None, None)
            self._context = None

    async def _anew(self) -> None:
        """Have the first view of now on the screen, with nothing set."""
        if self._context is not None and self.app.return_code is not None:
            await self._end()
        if self._context is None:
            await self._begin()
        while not isinstance(self.app.screen, MainScreen):
            await self.app.pop_screen()
        desk = self.app.desk
        desk.settings = Settings(node=NAMES[0])
        desk.settings.stacks.append(kept(12.0, lines=100))
        desk.live()
        desk.speed, desk.interval_seconds = 1.0, 1.0
        self.app.recording.end()
        self.app.copy_to_clipboard("")
        self.app.paint()
        await self._pilot.pause()

    async def _press(self, key: str, case: Case) -> None:
        await self._anew()
        await self._pilot.press(*case.before.split())
        await self._pilot.pause()
        assert case.looked_at(self.app) != case.after, "so it is before the key already"
        await self._pilot.press(key)
        await self.app.workers.wait_for_complete()
        await self._pilot.pause()
        assert case.looked_at(self.app) == case.after, screen_text(self.app)

    def press(self, key: str, case: Case) -> None:
        """Press a key, and look at what the case says."""
        self._runner.run(self._press(key, case))

    def end(self) -> None:
        """End the console."""
        self._runner.run(self._end())
        self._runner.close()


@pytest.fixture(scope="module")
def running(frames: Frames, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The console of all tests here."""
    console = Running(frames, tmp_path_factory.mktemp("keys"))
    yield console
    console.end()


@pytest.mark.parametrize("key", keys.KEYS, ids=lambda key: key.id)
def test_every_key_of_the_table_does_something(key: keys.Key, running: Running) -> None:
    assert key.id in CASES, "a key has a case here that says what it does"
    for name in split_keys(key.keys):
        running.press(name, CASES[key.id])


def test_no_case_is_of_a_key_that_is_gone() -> None:
    assert set(CASES) == {key.id for key in keys.KEYS}


def test_a_key_has_one_meaning_a_screen_and_an_id_of_its_own() -> None:
    for name in dict.fromkeys(key.screen for key in keys.KEYS):
        taken = [each for key in keys.of_screen(name) for each in split_keys(key.keys)]
        assert len(set(taken)) == len(taken)
    assert len({key.id for key in keys.KEYS}) == len(keys.KEYS)
