"""View 8: the alarms of a real book, at each moment, and what the keys do to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from textual.pilot import Pilot
from textual.widgets import Label

from alarm_stage import AlarmStage, rules_of
from console.playing import main_screen, play, screen_text, until
from console.stage import SECOND, START_NS, Stage, filled_desk
from console.test_views import assert_exact, row_of
from isinglass.errors import UsageError
from isinglass_console.app import IsinglassApp
from isinglass_console.model.alarms import AlarmSheet, sheet_at, sheet_of
from isinglass_console.model.filter import Filter
from isinglass_console.model.told import Told
from isinglass_console.screens import alarms, overview
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.outside import Outside
from isinglass_console.screens.status import status_line
from isinglass_console.screens.views import views_of
from isinglass_console.widgets.line import text_of
from isinglass_monitor.moment import Moment

RULE = """
[[rule]]
name = "{name}"
help = "{name} is not as it should be."
when = "{figure} > 10"
look = "At {figure} first,\\nthen at the rest."
severity = "{severity}"
"""
RULES = [
    ("queue-long", "queue.length", "error"),
    ("queue-old", "queue.oldest", "warning"),
    ("readers", "store.readers", "warning"),
    ("reader-old", "store.oldest_reader", "error"),
    ("commits", "store.commits", "info"),
    ("batches", "queue.batches", "warning"),
]
HOUR = 3600 * SECOND


def _nothing(_scene: AlarmStage) -> None:
    return None


def played(after: Callable[[AlarmStage], None] = _nothing) -> AlarmStage:
    """Play twelve seconds in which each kind of alarm comes about; `after` sees each second."""
    scene = AlarmStage(
        rules_of("".join(RULE.format(name=n, figure=f, severity=s) for n, f, s in RULES))
    )
    scene.now = Moment(10**12, START_NS)
    holdings = scene.book.holdings
    for second in range(1, 13):
        if second == 2:
            scene.says("alder", {"queue.length": 99.0, "queue.oldest": 12.0, "store.commits": 11})
        elif second == 3:
            wall = scene.now.wall_ns
            holdings.silence(wall, "readers", "*", "known, see 17", "ada", wall + HOUR)
            holdings.announce(wall, "chaos", "birch", "pulled the plug", "bob", wall + HOUR)
        elif second == 4:
            scene.says("alder", {"store.readers": 500})
            scene.says("birch", {"store.oldest_reader": 700})
        elif second == 6:
            assert scene.book.acknowledge(scene.now, 2, "ada")
        elif second == 8:
            scene.says("alder", {"store.commits": 0})
            scene.says("birch", {"store.oldest_reader": 0})
        elif second == 9:
            scene.says("birch", {"store.oldest_reader": 900})
        elif second == 11:
            scene.says("cedar", {"queue.batches": 44})
        scene.run()
        after(scene)
    return scene


@pytest.fixture(scope="module")
def sheet() -> AlarmSheet:
    scene = played()
    document = {**scene.book.document(), "written_wall_ns": scene.now.wall_ns}
    return sheet_of("orchard", document, True)


@pytest.fixture
def desk(alder: Stage, sheet: AlarmSheet) -> Desk:
    made = filled_desk(alder)
    made.told = Told("orchard", "", None, sheet)
    return made


def shown(desk: Desk, width: int = 120, height: int = 34) -> str:
    return text_of(alarms.build(desk.scene(width, height)).block.lines)


def asked(app: IsinglassApp) -> str:
    return str(app.screen.query_one(Label).content)


def states(sheet: AlarmSheet) -> dict[str, str]:
    return {alarm.rule: alarm.state for alarm in sheet.alarms}


def test_a_sheet_says_of_each_alarm_the_word_that_matters(sheet: AlarmSheet) -> None:
    assert states(sheet) == {
        "queue-long": "firing",
        "batches": "firing",
        "reader-old": "expected",
        "queue-old": "acknowledged",
        "readers": "silenced",
        "commits": "cleared",
    }
    assert [alarm.rule for alarm in sheet.raised][:3] == ["queue-long", "batches", "reader-old"]
    assert [alarm.rule for alarm in sheet.active] == ["queue-long", "batches"]
    assert [alarm.rule for alarm in sheet.active_of("cedar")] == ["batches"]
    whys = {alarm.rule: alarm.why for alarm in sheet.alarms}
    assert whys["queue-old"] == "by ada"
    assert whys["readers"] == "by ada: known, see 17"
    assert whys["reader-old"] == "chaos by bob: pulled the plug"
    assert [(one.kind, one.of) for one in sheet.holdings] == [
        ("silence", "readers of *"),
        ("chaos", "birch"),
    ]


def test_the_alarms_of_an_earlier_moment(sheet: AlarmSheet) -> None:
    def at(seconds: float) -> dict[str, str]:
        return states(sheet_at(sheet, START_NS + int(seconds * SECOND)))

    assert at(1) == {}
    three = {"queue-long": "firing", "queue-old": "firing", "commits": "firing"}
    assert at(3.5) == three
    four = {**three, "readers": "silenced", "reader-old": "expected"}
    assert at(4.5) == four
    assert at(7.5) == {**four, "queue-old": "acknowledged"}
    assert at(8.5)["commits"] == "clearing"
    assert at(8.5)["reader-old"] == "expected", "its clearing is no news to anybody"
    assert at(60) == states(sheet)
    before = sheet_at(sheet, START_NS + SECOND)
    assert before.holdings == ()


def test_the_view_says_what_is_wrong_since_when_and_where_to_look(desk: Desk) -> None:
    text = shown(desk)
    assert "ALARMS  2 raised, 3 held back or in hand" in text
    assert "as told by orchard" in text
    row = row_of(text, "▸")
    for word in ("✖ firing", "14:03:02", "10 s", "queue-long", "alder", "queue.length = 99"):
        assert word in row
    assert "queue-long is not as it should be." in text
    assert "LOOK NEXT  At queue.length first, then at the rest." in text
    assert "raised" in row_of(text, "TIMELINE") or "told" in row_of(text, "TIMELINE")
    assert "silence     readers of *  ends in 59 min 50  by ada: known, see 17" in text
    assert "· cleared" in row_of(text, "commits")


def test_what_is_over_or_explained_is_not_bright(desk: Desk) -> None:
    block = alarms.build(desk.scene(120, 34)).block
    for rule, bright in [("queue-long", True), ("readers", False), ("commits", False)]:
        line = next(line for line in block.lines[2:] if f" {rule} " in text_of([line]) + " ")
        roles = {role.split("+")[0] for _, role in line}
        assert bool(roles & {"critical", "warning"}) == bright, (rule, roles)


def test_every_view_has_the_sign_of_the_worst_alarm(desk: Desk, sheet: AlarmSheet) -> None:
    for width in (80, 120):
        assert "✖ 2 alarms" in text_of(status_line(desk.scene(width, 1)).lines)
    desk.go_to(START_NS + SECOND)
    assert "alarm" not in text_of(status_line(desk.scene(120, 1)).lines)
    desk.live()
    desk.told = Told("orchard", "", None, sheet_at(sheet, 0))
    assert "alarm" not in text_of(status_line(desk.scene(120, 1)).lines)


def test_the_overview_names_the_alarms_of_a_node(desk: Desk) -> None:
    text = text_of(overview.build(desk.scene(160, 48)).block.lines)
    assert "queue-long" in row_of(text, "▸")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 36), (200, 60), (60, 12), (33, 5)])
def test_no_line_of_the_alarms_is_too_long(desk: Desk, width: int, height: int) -> None:
    for told in (desk.told, Told("", "", None, AlarmSheet("orchard", runs=False))):
        desk.told = told
        for zoomed in (False, True):
            desk.settings.zoomed = zoomed
            block = alarms.build(desk.scene(width, height)).block
            assert_exact(block, width)
            assert len(block.lines) <= height or height < 12


def test_a_monitor_that_is_gone_or_silent_is_not_shown_as_live(desk: Desk) -> None:
    sheet = desk.told.sheet
    assert sheet is not None
    gone = AlarmSheet(sheet.monitor, False, sheet.written_ns, sheet.raised)
    desk.told = Told("orchard", "", None, gone)
    assert "no monitor runs; the last one knew this at 2026-09-21 14:03:12" in shown(desk)
    silent = AlarmSheet(sheet.monitor, True, START_NS, sheet.raised)
    desk.told = Told("orchard", "", None, silent)
    assert "the monitor has written nothing for 12 s" in shown(desk)


def test_without_a_monitor_the_view_is_absent(app: IsinglassApp) -> None:
    app.desk.told = Told()

    async def script(pilot: Pilot[int]) -> None:
        assert "8" not in [view.digit for view in views_of(app.desk.scene(80, 24))]
        await pilot.press("8")
        assert "no monitor runs here: `isinglass monitor start`" in screen_text(app)
        await pilot.press("a")
        assert "no monitor runs here" in screen_text(app)

    play(app, script, (160, 40))


def test_enter_leads_to_the_instant_at_which_it_was_raised(app: IsinglassApp) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("8", "slash", *"readers", "enter", "enter")
        assert "every view shows 14:03:04" in screen_text(app)
        assert "14:03:04 UTC" in screen_text(app)
        await pilot.press("escape", "escape")
        assert "acknowledged" not in screen_text(app), "nobody had done so by then"
        assert "commits" in screen_text(app)
        await pilot.press("7")
        assert "at 14:03:04.000" in screen_text(app)

    play(app, script)


def test_the_filter_and_the_order_are_those_of_all_tables(desk: Desk) -> None:
    desk.settings.filter = Filter.parse("held|readers|queue-")
    assert "batches" not in shown(desk)
    desk.settings.filter = Filter.parse("silenced")
    assert "queue-long" not in shown(desk)
    desk.settings.filter = Filter.parse("nothing like it")
    assert "no alarm is like that" in shown(desk)
    desk.settings.filter = Filter()
    desk.sort("alarms", "rule")
    assert "batches" in shown(desk).split("\n")[2]


class Noted:
    """Orders, noted; alarm 6 is refused."""

    def __init__(self) -> None:
        self.orders: list[Mapping[str, object]] = []

    def order(self, order: Mapping[str, object]) -> None:
        if order.get("alarm") == 6:
            raise UsageError("Alarm 6 is not raised.")
        self.orders.append(order)


def test_acknowledging_is_asked_back_and_silencing_wants_an_end_and_a_reason(
    app: IsinglassApp,
) -> None:
    noted = Noted()

    async def script(pilot: Pilot[int]) -> None:
        main = main_screen(app)
        main.outside = Outside(order=noted.order)
        await pilot.press("a")
        assert "8 shows the alarms" in screen_text(app)
        await pilot.press("8", "a")
        assert "acknowledge alarm 1, queue-long alder?" in asked(app)
        await pilot.press("n")
        assert "alarm 1 was left as it is" in screen_text(app)
        assert noted.orders == []
        await pilot.press("a", "y")
        await until(app, pilot, lambda: "alarm 1 is in your hands" in screen_text(app))
        await pilot.press("j", "a", "y")
        await until(app, pilot, lambda: "Alarm 6 is not raised." in screen_text(app))
        for typed in ("", "soon x", "2h"):
            await pilot.press("s", *typed, "enter")
            assert "a silence has an end and a reason" in screen_text(app)
        silence = ("s", *"90m new disk", "enter")
        await pilot.press("g", *silence)
        await pilot.pause()
        assert "silence queue-long of alder for 1 h 30, because: new disk?" in asked(app)
        await pilot.press("n")
        assert "nothing was silenced" in screen_text(app)
        await pilot.press(*silence)
        await pilot.pause()
        await pilot.press("y")
        await until(app, pilot, lambda: "is silent for 1 h 30" in screen_text(app))
        await pilot.press("G", "a")
        assert "is over" in screen_text(app)
        assert noted.orders == [
            {"do": "acknowledge", "alarm": 1},
            {
                "do": "silence",
                "rule": "queue-long",
                "node": "alder",
                "seconds": 5400.0,
                "reason": "new disk",
            },
        ]

    play(app, script, (160, 40))


def test_a_note_is_asked_for_and_made_at_a_node_that_lives(app: IsinglassApp) -> None:
    notes: list[tuple[str, str]] = []

    def note(node: str, text: str) -> str:
        notes.append((node, text))
        return f"Noted at node {node}."

    async def script(pilot: Pilot[int]) -> None:
        main_screen(app).outside = Outside(note=note)
        await pilot.press("m", *"-x: new disk", "enter")
        await until(app, pilot, lambda: "Noted at node alder." in screen_text(app))
        await pilot.press("m", "escape")
        assert "nothing was noted" in screen_text(app)
        await pilot.press("m", "space", "enter")
        assert "nothing was noted" in screen_text(app)
        assert notes == [("alder", "-x: new disk")]

    play(app, script)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
def test_the_alarms_look_as_they_did(
    snap_compare: Callable[..., bool], app: IsinglassApp, size: tuple[int, int]
) -> None:
    assert snap_compare(app, press=["8"], terminal_size=size)
